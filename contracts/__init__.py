"""What two hops must agree on. Every other package may import this one; it imports none of them."""
