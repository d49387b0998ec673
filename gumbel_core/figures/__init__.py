"""Figures: plain arrays in, a plain Plotly dict out. No torch, no Streamlit.

`plotly.graph_objects.Figure(figure)` draws one in a notebook. Dicts, because building and serialising a
`go.Figure` takes a thousand times as long, and a slider waits for it.
"""
