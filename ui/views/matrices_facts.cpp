#include "ui/views/matrices_facts.h"

#include <QDialogButtonBox>
#include <QTextBrowser>
#include <QVBoxLayout>

namespace tandem::ui {
namespace {

QString item(const QString& text) {
  return QStringLiteral("<li style='margin-bottom:6px'>%1</li>").arg(text);
}

QString stepSizeFact(MixerKind student) {
  switch (student) {
    case MixerKind::DiscreteMamba2:
      return MatricesFacts::tr(
          "This student's mixer is discrete: its decay comes straight from the token and there is "
          "no step size to fold in.");
    case MixerKind::HybridMamba2:
    case MixerKind::Mamba2:
      return MatricesFacts::tr(
          "This student's mixer has a step size Δ<sub>j</sub>, which scales column j. It is folded "
          "into the content shown here.");
    case MixerKind::HybridMamba1:
      return MatricesFacts::tr(
          "In this student's mixer every channel and state decays at its own pace, so each channel has a "
          "matrix of its own and none splits into decay and content. Shown is the mean over the head's "
          "channels.");
    case MixerKind::Attention:
      return MatricesFacts::tr(
          "This layer of the student is attention, kept from the teacher: there is no decay and no "
          "content to show.");
  }
  return {};
}

}  // namespace

QString matrixFacts(MixerKind student) {
  const auto tr = [](const char* text) { return MatricesFacts::tr(text); };
  return QStringLiteral("<h3>%1</h3><ul>").arg(tr("How to read these maps")) +
         item(tr(
             "Rows are outputs (queries i), columns are inputs (keys j). A query sees only itself and what "
             "came "
             "before it, so only the lower triangle exists. The hatched part is masked, it is not zero.")) +
         item(tr("<b>Teacher A</b> = softmax(QKᵀ/√d). No entry is negative and each row sums to 1.")) +
         item(tr("<b>Student M</b> = L ∘ (CBᵀ), decay times content, entry by entry. M may be negative and "
                 "its rows "
                 "need not sum to 1. Nothing is normalised unless a badge says so.")) +
         item(tr("<b>Decay L</b>: L<sub>ij</sub> is the product of the per-step factors after j up to i; 1 "
                 "on the "
                 "diagonal. That makes it 1-semiseparable: every block below the diagonal has rank 1.")) +
         item(tr("<b>Content CBᵀ</b>: C<sub>i</sub>·B<sub>j</sub>, what query i asks of key j, before any "
                 "decay.") +
              QLatin1Char(' ') + stepSizeFact(student)) +
         item(
             tr("<b>Left out by default</b>: the D skip (it would sit on the diagonal; there is a switch), "
                "the short "
                "convolution (it comes before: it is in what M multiplies) and the gate (it comes after).")) +
         item(tr("<b>MOHAWK</b>, how such a student is made: stage 1 minimises the Frobenius distance "
                 "between M and A; "
                 "stage 2 matches the outputs of blocks; stage 3 transfers weights and distils logits.")) +
         item(tr(
             "Both matrices are recomputed for display, in 32-bit floats, from the text shown above them.")) +
         QStringLiteral("</ul><h3>%1</h3><p>%2</p>")
             .arg(tr("Keys"), tr("← → head, ↑ ↓ layer, Shift+arrows move the cell, comma and full stop move "
                                 "the key, M scale, D "
                                 "decay and content, X difference, L one range, + − zoom, Home whole text, "
                                 "Esc releases."));
}

MatricesFacts::MatricesFacts(MixerKind student, QWidget* parent) : QDialog(parent) {
  setObjectName(QStringLiteral("matricesFacts"));
  setWindowTitle(tr("About mixing matrices"));
  auto* layout = new QVBoxLayout(this);
  auto* text = new QTextBrowser(this);
  text->setAccessibleName(windowTitle());
  text->setHtml(matrixFacts(student));
  text->setFrameShape(QFrame::NoFrame);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
  layout->addWidget(text);
  layout->addWidget(buttons);
  resize(620, 520);
}

}  // namespace tandem::ui
