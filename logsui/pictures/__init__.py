"""Pictures as objects of their own: what was sent again and again, and all that was answered about one."""
