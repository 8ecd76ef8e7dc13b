"""JSON of Proxmox VE into `answers`: lenient about types, strict about meaning.

The server checks no type of what it answers (proxmox-api.md, fact 14), so "4", 4 and 4.0 are one number and 0, "" and "0" one boolean. But where
a value makes no sense, the answer is refused with Nonsense: what is dropped or guessed would be sold.
"""
