import streamlit as st; st.title('temperature')
