"""What stays, what goes, and its going: rules by age and by size, what somebody deletes, and the check that all of it fits together."""
