"""The catalogue page: what there is to sell, read-only over HTTP, for people and for programs.

It is given objects (`contents.Source`: the operator's informer, or what `preview --serve` read) and asks nobody for anything. Pages are made by pure
functions of those objects and the time; `kitchen` makes each once for each state, and bounds what that may cost; `server` is all that knows HTTP.
"""
