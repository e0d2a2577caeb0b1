"""From failed checks and runs to messages people can trust: incidents, rendering, delivery."""
