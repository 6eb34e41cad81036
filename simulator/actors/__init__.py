"""Everyone around the gateway: modalities, remote SCPs, order placers, scripted peers, relays. Each tells what it saw as events."""
