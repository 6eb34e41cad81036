"""From a seed to people, orders, studies and pixels: every value is made up, and every byte can be made again.

No file here reads a clock, a locale or a global random state. Start reading at `studies.study`.
"""
