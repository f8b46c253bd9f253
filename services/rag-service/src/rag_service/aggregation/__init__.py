"""Questions about a whole table: the highest, the lowest, a sum, an average, a count, or the rows beyond a bound.

A model that reads a few passages can't answer them, so they are calculated from the table's own cells.
"""

from rag_service.aggregation.answer import CalculatedAnswer, TableAnswers

__all__ = ["CalculatedAnswer", "TableAnswers"]
