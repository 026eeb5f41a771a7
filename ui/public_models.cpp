#include "ui/public_models.h"

#include <QCoreApplication>

namespace tandem::ui {
namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("PublicModels", text);
}

QString row(const QString& names, const QString& licence, const QString& note) {
  return QStringLiteral("<tr><td>%1</td><td>%2</td><td>%3</td></tr>").arg(names, licence, note);
}

}  // namespace

QString publicModelsText() {
  return tr("<h3>Where to get models</h3>"
            "<p>These are published on Hugging Face; Tandem downloads nothing. Get a model's whole folder, "
            "then "
            "drop it here. Licences are those named on the models' pages: read them there.</p>") +
         QStringLiteral(
             "<table cellspacing='0' cellpadding='5' border='0'>"
             "<tr><th align='left'>%1</th><th align='left'>%2</th><th align='left'>%3</th></tr>")
             .arg(tr("Model"), tr("Licence"), tr("What to know")) +
         row(tr("<b>meta-llama</b><br>Llama-3.2-1B-Instruct<br>Llama-3.2-3B-Instruct"),
             tr("Llama 3.2 Community License"),
             tr("Teachers. The publisher asks you to accept the licence first.")) +
         row(tr("<b>cartesia-ai</b><br>Llamba-1B, -3B, -8B"), tr("Apache-2.0"),
             tr("Students of Llama-3.2-1B-Instruct, -3B-Instruct and Llama-3.1-8B-Instruct. They come "
                "without a "
                "tokenizer: load the teacher first, or choose its tokenizer.json.")) +
         row(tr("<b>JunxiongWang</b><br>MambaInLlama1B_Distill_MATH<br>MambaInLlama3B_Distill_MATH<br>"
                "MambaInLlama3B_SFT_MATH"),
             tr("Apache-2.0"), tr("Hybrid students of Llama-3.2, trained on mathematics.")) +
         row(tr("<b>JunxiongWang</b><br>Llama3.2-Mamba-3B-distill<br>Llama3.1-Mamba-8B-distill"),
             tr("Apache-2.0"),
             tr("Hybrid students. Published as pickles, which are never opened: Tandem prints the command "
                "that "
                "converts them.")) +
         row(tr("<b>state-spaces</b><br>mamba2-370m, -780m, -1.3b, -2.7b"), tr("Apache-2.0"),
             tr("Pure Mamba-2, nobody's student. Pickles without a tokenizer, which is GPT-NeoX's.")) +
         row(tr("<b>HuggingFaceTB</b><br>SmolLM2-135M-Instruct, -360M-, -1.7B-"), tr("Apache-2.0"),
             tr("Small teachers of the Llama family; their GGUF files open, too.")) +
         QStringLiteral("</table>");
}

}  // namespace tandem::ui
