"""Sample logs with drawn pictures, up to millions: to try the log browser on, and to measure it with."""
