"""Savings: what a monthly amount grows to."""

import csv
import io
import sys

import streamlit as st

st.set_page_config(page_title="Savings", page_icon="🌱")
st.title("Savings")
st.write("What a monthly amount grows to, with interest every month.")

left, middle, right = st.columns(3)
monthly = left.number_input("Each month", 10, 5000, 200, step=10)
rate = middle.slider("Interest a year (%)", 0.0, 12.0, 4.0, 0.5)
years = right.slider("Years", 1, 40, 10)

balance, curve = 0.0, []
for month in range(years * 12):
    balance = (balance + monthly) * (1 + rate / 1200)
    if month % 12 == 11:
        curve.append(round(balance, 2))

st.metric(f"After {years} years", f"{balance:,.0f}", f"{balance - monthly * 12 * years:,.0f} of it interest")
st.area_chart({"Balance": curve}, color="#2e8b57")

with st.expander("Compare with a file of your own"):
    upload = st.file_uploader("CSV with one column of yearly balances", type="csv")
    if upload:
        rows = [row for row in csv.reader(io.StringIO(upload.getvalue().decode())) if row]
        st.write(f"{len(rows)} rows, {upload.size} bytes.")
        st.table(rows[:10])

st.caption("Streamlit on Python " + ".".join(map(str, sys.version_info[:3])))
