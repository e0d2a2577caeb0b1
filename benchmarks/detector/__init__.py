"""How often the item-sales rules are wrong, and what they find, on simulated weeks of a shop."""
