"""The smallest Streamlit app with a control and a picture: what the real one is measured against.

streamlit run benchmarks/bare_app.py
"""

import plotly.graph_objects as go
import streamlit as st

height = st.slider("height", 1, 100, 50)
bars = [height / (k + 1) for k in range(7)]
st.plotly_chart(go.Figure(go.Bar(x=list("ABCDEFG"), y=bars)))
