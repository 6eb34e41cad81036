"""What the Hospital Authority asks of data: pure functions over text, without I/O and without a clock.

Bad data is a value here, never an exception: `inspect`, `compare` and `decide` return tuples of stable
reason ids. A `ValueError` or `KeyError` means that the calling code is wrong.
"""
