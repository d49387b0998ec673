from pages.components.controls import *
st.title("Many draws"); t=logits_input(); st.write(t.logits, draws_input())
