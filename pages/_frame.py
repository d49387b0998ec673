"""What every page stands in: page config, navigation, and one word about a link that could not be taken."""

from pathlib import Path

import streamlit as st

from pages.components.address import keep_in_address
from pages.components.link import keep_values, moved, say_what_was_not_taken
from pages.components.live_runs import keep_watching
from pages.components.owner import owner_token

# A file of our own: a Material icon would be fetched from a foreign host.
ICON = Path(__file__).parent / "components" / "icon.svg"

st.set_page_config(page_icon=ICON, layout="wide")
page = st.navigation(
    {
        "One sample": [
            st.Page("sampling.py", title="Sampling", icon=":material/filter_1:", default=True),
            st.Page("many_draws.py", title="Many draws", icon=":material/bar_chart:"),
            st.Page("temperature.py", title="Temperature", icon=":material/thermostat:"),
            st.Page("noise.py", title="Noise", icon=":material/graphic_eq:"),
        ],
        "Why it trains": [
            st.Page("toy_argmax.py", title="The toy", icon=":material/toys:"),
            st.Page("gradients.py", title="Bias and variance", icon=":material/call_split:"),
            st.Page("structures.py", title="Structures", icon=":material/account_tree:"),
        ],
        "In a model": [
            st.Page("vae_training.py", title="Live training", icon=":material/monitoring:"),
            st.Page("vae_codes.py", title="Inside a code", icon=":material/apps:"),
            st.Page("studies.py", title="Studies", icon=":material/science:"),
        ],
    }
)
st.set_page_config(page_title=f"{page.title} · Gumbel-Softmax Explorer")
# A browser that knows its owner runs the page once more: what was said of its link is then said again.
owner_token()
say_what_was_not_taken()
keep_values()
keep_watching()
page.run()

if st.session_state.setdefault("_page", page.title) != page.title:
    keep_in_address(moved())
    st.session_state["_page"] = page.title
