#include "ui/views/matrices_source_bar.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QToolButton>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr int kRecordedRole = Qt::UserRole + 1;
constexpr int kTitleTokens = 6;  // of a recorded text, in the list

}  // namespace

MatricesSourceBar::MatricesSourceBar(QWidget* parent)
    : QWidget(parent),
      m_choice(new QComboBox(this)),
      m_text(new QLineEdit(this)),
      m_status(new QLabel(this)),
      m_capture(new QPushButton(this)),
      m_store(new QPushButton(tr("Keep in session"), this)),
      m_facts(new QToolButton(this)) {
  setObjectName(QStringLiteral("sourceBar"));
  m_choice->setObjectName(QStringLiteral("textChoice"));
  m_choice->setAccessibleName(tr("Text whose matrices are shown"));
  m_text->setObjectName(QStringLiteral("typedText"));
  m_text->setAccessibleName(tr("Your text"));
  m_text->setPlaceholderText(tr("Type a text for both models"));
  m_status->setObjectName(QStringLiteral("captureStatus"));
  m_status->setWordWrap(true);
  m_capture->setObjectName(QStringLiteral("captureButton"));
  m_store->setObjectName(QStringLiteral("storeButton"));
  m_facts->setObjectName(QStringLiteral("factsButton"));
  m_facts->setAutoRaise(true);
  m_facts->setToolTip(tr("How to read these maps (I)"));
  m_facts->setAccessibleName(tr("About mixing matrices"));
  const auto add = [this](const QString& text, TextChoice choice) {
    m_choice->addItem(text, static_cast<int>(choice));
    m_choice->setItemData(m_choice->count() - 1, -1, kRecordedRole);
  };
  add(tr("Problem and its solution"), TextChoice::Solution);
  add(tr("Teacher's completion"), TextChoice::TeacherCompletion);
  add(tr("Student's completion"), TextChoice::StudentCompletion);
  add(tr("My text"), TextChoice::Typed);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  row->addWidget(m_choice);
  row->addWidget(m_text, 2);
  row->addWidget(m_status, 1);
  row->addWidget(m_capture);
  row->addWidget(m_store);
  row->addWidget(m_facts);
  connect(m_choice, &QComboBox::currentIndexChanged, this, [this] {
    refresh();
    emit choiceChanged();
  });
  connect(m_text, &QLineEdit::textChanged, this, &MatricesSourceBar::typed);
  connect(m_text, &QLineEdit::returnPressed, this, &MatricesSourceBar::captureRequested);
  connect(m_capture, &QPushButton::clicked, this,
          [this] { m_running ? emit cancelRequested() : emit captureRequested(); });
  connect(m_store, &QPushButton::clicked, this, &MatricesSourceBar::storeRequested);
  connect(m_facts, &QToolButton::clicked, this, &MatricesSourceBar::factsRequested);
  connect(&Theme::instance(), &Theme::changed, this, &MatricesSourceBar::refresh);
  setCapture(false, false);
  setStore(false, QString());
  refresh();
}

TextChoice MatricesSourceBar::choice() const {
  return static_cast<TextChoice>(m_choice->currentData().toInt());
}

int MatricesSourceBar::recordedIndex() const {
  return m_choice->currentData(kRecordedRole).toInt();
}

void MatricesSourceBar::choose(TextChoice choice, int recorded) {
  for (int item = 0; item < m_choice->count(); ++item)
    if (m_choice->itemData(item).toInt() == static_cast<int>(choice) &&
        m_choice->itemData(item, kRecordedRole).toInt() == recorded)
      m_choice->setCurrentIndex(item);
}

QString MatricesSourceBar::typedText() const {
  return m_text->text();
}

void MatricesSourceBar::setTypedText(const QString& text) {
  m_text->setText(text);
}

void MatricesSourceBar::setRecorded(const std::vector<MatrixSetPtr>& sets) {
  QStringList texts;
  for (const MatrixSetPtr& set : sets) {
    const QString start = set->tokens.mid(0, kTitleTokens).join(QLatin1Char(' '));
    texts << tr("Recorded: %1… (%2 tokens)").arg(start).arg(set->seqlen());
  }
  replaceItems(TextChoice::Recorded, texts);
}

void MatricesSourceBar::setTrainings(const QStringList& names) {
  QStringList texts;
  for (const QString& name : names) texts << tr("Training: %1").arg(name);
  replaceItems(TextChoice::Training, texts);
}

/// The items of that choice, numbered. One of them stays chosen as long as there is one of its number.
void MatricesSourceBar::replaceItems(TextChoice kind, const QStringList& texts) {
  const QSignalBlocker block(m_choice);
  const int chosen = choice() == kind ? recordedIndex() : -1;
  for (int item = m_choice->count() - 1; item >= 0; --item)
    if (m_choice->itemData(item).toInt() == static_cast<int>(kind)) m_choice->removeItem(item);
  for (int k = 0; k < texts.size(); ++k) {
    m_choice->addItem(texts[k], static_cast<int>(kind));
    m_choice->setItemData(m_choice->count() - 1, k, kRecordedRole);
    if (k == chosen) m_choice->setCurrentIndex(m_choice->count() - 1);
  }
  if (chosen >= texts.size()) m_choice->setCurrentIndex(0);
  refresh();
}

void MatricesSourceBar::setStatus(const QString& text) {
  m_status->setText(text);
  m_status->setToolTip(text);
}

void MatricesSourceBar::setCapture(bool possible, bool running) {
  m_running = running;
  m_capture->setText(running ? tr("Cancel capture") : tr("Capture matrices"));
  m_capture->setEnabled(possible || running);
}

void MatricesSourceBar::setStore(bool possible, const QString& tip) {
  m_store->setEnabled(possible);
  m_store->setToolTip(tip);
}

void MatricesSourceBar::refresh() {
  m_text->setVisible(choice() == TextChoice::Typed);
  m_facts->setIcon(Theme::icon(QStringLiteral("info")));
}

}  // namespace tandem::ui
