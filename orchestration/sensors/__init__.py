"""What starts runs and what looks at their outcome."""
