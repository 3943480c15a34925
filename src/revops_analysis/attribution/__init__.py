"""Attribution: which touches share the credit for a deal, under every model, to the cent."""
