"""Plain words: says how hard a text is to read, and what makes it so."""

import re
import sys

import gradio as gr

EXAMPLE = (
    "The committee's considerations notwithstanding, implementation will commence immediately. "
    "We start on Monday. Bring a pen."
)


def syllables(word):
    return max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower()))))


def judge(text):
    words = re.findall(r"[A-Za-z']+", text)
    sentences = [part for part in re.split(r"[.!?]+", text) if part.strip()]
    if not words:
        return "Nothing to read yet.", []
    per_sentence = len(words) / len(sentences)
    ease = 206.835 - 1.015 * per_sentence - 84.6 * sum(map(syllables, words)) / len(words)
    verdict = "easy" if ease >= 60 else "hard" if ease < 30 else "fair"
    longest = sorted(set(words), key=syllables, reverse=True)[:5]
    summary = f"{len(words)} words, {per_sentence:.1f} to a sentence. Reading ease {ease:.0f}: {verdict}."
    return summary, [[word, syllables(word)] for word in longest]


with gr.Blocks(title="Plain words") as demo:
    gr.Markdown("# Plain words\nHow hard is a text to read, and which words make it so?")
    text = gr.Textbox(EXAMPLE, label="Text", lines=5)
    button = gr.Button("Judge", variant="primary")
    answer = gr.Textbox(label="Verdict", interactive=False)
    table = gr.Dataframe(headers=["longest words", "syllables"], interactive=False)
    gr.Markdown("Gradio on Python " + ".".join(map(str, sys.version_info[:3])))
    button.click(judge, text, [answer, table], api_name="judge")

if __name__ == "__main__":
    demo.launch()
