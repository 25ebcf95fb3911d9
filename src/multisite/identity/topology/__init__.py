"""An identity topology: its parts, its file, its rules."""
