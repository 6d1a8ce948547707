"""The tier report: one page for the people who work with the tiers and argue with them.

`facts` is what the page says, as numbers (pure), `gather` reads it from a training run, `words` are
its sentences in two languages, `numerals` its numbers, `drawing` its pictures, `page` puts it
together. The page asks for nothing from outside, runs no script and escapes every text.
"""
