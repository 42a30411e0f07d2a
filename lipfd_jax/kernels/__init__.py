"""How devices compute the operations of the model: one operation a file, its plain definition first.

`choice` says which variant of each a program is made of.
"""
