"""Everyone around the gateway: modalities, remote SCPs, order placers. Each tells what it saw as events."""
