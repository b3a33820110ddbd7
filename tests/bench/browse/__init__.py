"""How fast the log browser answers, by itself (`pages`), in Chromium (`chromium`) and beside its peers (`peers`)."""
