"""`manage.py NAME`, a file each."""
