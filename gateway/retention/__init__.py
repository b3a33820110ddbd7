"""What stays and what goes: rules by age and by size, what somebody deletes, what takes the space, and the check that all of it
fits together. Read from outside: `deletions`, `rules`, `usage`, `ageing`, `removal`, `checking`.

Imports recording, keys, pictures, index, models; knows nothing of HTTP.
"""
