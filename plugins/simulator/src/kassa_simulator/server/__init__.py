"""The simulated payment provider itself: a process of its own, with books of its own.

It uses the standard library only and imports nothing of kassa, not even the SDK: what judges the engine shares no line
with it.
"""
