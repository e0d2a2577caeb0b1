"""The main job from end to end: start the stack, load history, go live, plant a spike, reckon, report."""
