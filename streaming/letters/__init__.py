"""Dead letters after they landed: found, looked at, sent again, or marked as dealt with."""
