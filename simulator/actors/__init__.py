"""Everyone around the gateway: modalities, remote SCPs, order placers, peers played from a script, relays.

Each tells what it saw as events.
"""
