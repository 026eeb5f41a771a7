#include "ui/prompt_menu.h"

#include <array>

#include <QDialog>
#include <QInputDialog>
#include <QLabel>
#include <QPlainTextEdit>
#include <QVBoxLayout>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

struct PromptName {
  const char* name;  // one of prompt_names()
  const char* brief;
  const char* text;
  const char* tip;
};
constexpr std::array kPrompts = {
    PromptName{
        "model", QT_TRANSLATE_NOOP("PromptMenu", "the model's own"),
        QT_TRANSLATE_NOOP("PromptMenu", "As the model's files say"),
        QT_TRANSLATE_NOOP("PromptMenu",
                          "prompt.json beside the weights; without it zero-shot in the chat template of an "
                          "instruct model, and the bare question for another")},
    PromptName{
        "zero-shot", QT_TRANSLATE_NOOP("PromptMenu", "zero-shot"),
        QT_TRANSLATE_NOOP("PromptMenu", "Zero-shot chain of thought"),
        QT_TRANSLATE_NOOP("PromptMenu", "Asks for reasoning and a final answer, then gives the problem")},
    PromptName{
        "problem-first", QT_TRANSLATE_NOOP("PromptMenu", "problem first"),
        QT_TRANSLATE_NOOP("PromptMenu", "Zero-shot, the problem first"),
        QT_TRANSLATE_NOOP("PromptMenu", "Gives the problem, then asks for reasoning and a final answer")},
    PromptName{"gsm8k", QT_TRANSLATE_NOOP("PromptMenu", "GSM8K 8-shot"),
               QT_TRANSLATE_NOOP("PromptMenu", "GSM8K, eight worked examples"),
               QT_TRANSLATE_NOOP("PromptMenu", "Eight word problems with their reasoning come first")},
    PromptName{"math", QT_TRANSLATE_NOOP("PromptMenu", "MATH 4-shot"),
               QT_TRANSLATE_NOOP("PromptMenu", "MATH, four worked examples"),
               QT_TRANSLATE_NOOP("PromptMenu", "Four competition problems with their reasoning come first")},
    PromptName{
        "question", QT_TRANSLATE_NOOP("PromptMenu", "the question alone"),
        QT_TRANSLATE_NOOP("PromptMenu", "The question alone"),
        QT_TRANSLATE_NOOP("PromptMenu", "In the chat template of an instruct model, bare for another")},
};

bool namesDate(const Workspace& workspace) {
  for (const Side side : {Side::Teacher, Side::Student}) {
    const auto model = workspace.model(side);
    if (model && model->prompt().chat &&
        model->prompt().chat->style == tandem::ChatTemplate::Style::Llama3Dated)
      return true;
  }
  return false;
}

}  // namespace

PromptText promptText(Workspace& workspace, Side side) {
  const auto model = workspace.model(side);
  const auto& problems = workspace.problems().problems;
  const int at = workspace.selection().problem();
  if (!model || at < 0 || at >= static_cast<int>(problems.size())) return {};
  const tandem::RunSettings& settings = workspace.settings();
  const auto format = tandem::choose_prompt(model->prompt(), settings.prompt, settings.prompt_date);
  if (!format) return {};
  const std::string text = format->apply(problems[static_cast<std::size_t>(at)].question);
  const auto ids = model->tokenizer().encode(text, /*parse_special=*/true, format->with_bos);
  return {QString::fromStdString(text), static_cast<std::int64_t>(ids.size())};
}

PromptMenu::PromptMenu(Workspace& workspace, QWidget* parent)
    : QMenu(tr("&Prompt"), parent), m_workspace(workspace), m_prompts(new QActionGroup(this)) {
  setToolTipsVisible(true);
  for (const PromptName& prompt : kPrompts) {
    QAction* action = addAction(tr(prompt.text));
    action->setToolTip(tr(prompt.tip));
    action->setCheckable(true);
    action->setData(QLatin1String(prompt.name));
    m_prompts->addAction(action);
  }
  connect(m_prompts, &QActionGroup::triggered, this,
          [this](const QAction* action) { choose(action->data().toString()); });
  addSeparator();
  m_date = addAction(QString(), this, &PromptMenu::askDate);
  m_date->setObjectName(QStringLiteral("promptDate"));
  addAction(tr("&Show what the models read…"), this, &PromptMenu::showPrompts)
      ->setObjectName(QStringLiteral("showPrompts"));
  connect(this, &QMenu::aboutToShow, this, &PromptMenu::refresh);
}

void PromptMenu::refresh() {
  const tandem::RunSettings& settings = m_workspace.settings();
  for (QAction* action : m_prompts->actions())
    action->setChecked(action->data().toString().toStdString() == settings.prompt);
  const bool running = m_workspace.state() == Workspace::State::Running;
  m_prompts->setEnabled(!running);
  m_date->setText(tr("&Date in the prompt: %1…").arg(QString::fromStdString(settings.prompt_date)));
  m_date->setEnabled(!running && namesDate(m_workspace));
  m_date->setToolTip(m_date->isEnabled() ? tr("The date that the chat template of Llama-3.1 and 3.2 names")
                                         : tr("No loaded model's chat template names a date"));
}

void PromptMenu::choose(const QString& prompt) {
  tandem::RunSettings settings = m_workspace.settings();
  settings.prompt = prompt.toStdString();
  m_workspace.setSettings(settings);
}

void PromptMenu::askDate() {
  tandem::RunSettings settings = m_workspace.settings();
  bool accepted = false;
  const QString date =
      QInputDialog::getText(this, tr("Date in the prompt"),
                            tr("Llama-3's chat template tells the model what day it is. The same text gives "
                               "the same prompt every day."),
                            QLineEdit::Normal, QString::fromStdString(settings.prompt_date), &accepted);
  if (!accepted || date.trimmed().isEmpty()) return;
  settings.prompt_date = date.trimmed().toStdString();
  m_workspace.setSettings(settings);
}

void PromptMenu::showPrompts() {
  auto* window = new QDialog(parentWidget());
  window->setObjectName(QStringLiteral("promptWindow"));
  window->setAttribute(Qt::WA_DeleteOnClose);
  window->setWindowTitle(tr("What the models read"));
  auto* layout = new QVBoxLayout(window);
  for (const Side side : {Side::Teacher, Side::Student}) {
    const PromptText prompt = promptText(m_workspace, side);
    auto* label = new QLabel(QStringLiteral("%1 %2  %3, %4")
                                 .arg(sideGlyph(side), sideName(side), m_workspace.modelName(side),
                                      tr("%1 tokens").arg(prompt.tokens)));
    label->setFont(Theme::body(10, QFont::DemiBold));
    auto* text = new QPlainTextEdit(prompt.text);
    text->setReadOnly(true);
    text->setTabChangesFocus(true);
    text->setFont(Theme::monospace(10));
    text->setAccessibleName(tr("What the %1 reads").arg(sideName(side)));
    label->setBuddy(text);
    layout->addWidget(label);
    layout->addWidget(text, 1);
  }
  window->resize(760, 520);
  window->show();
}

PromptButton::PromptButton(Workspace& workspace, QWidget* parent)
    : MenuButton(new PromptMenu(workspace), parent), m_workspace(workspace) {
  setObjectName(QStringLiteral("promptButton"));
  setToolTip(tr("How a problem is put to the models"));
  connect(&m_workspace, &Workspace::settingsChanged, this, &PromptButton::refresh);
  refresh();
}

void PromptButton::refresh() {
  const std::string& chosen = m_workspace.settings().prompt;
  for (const PromptName& prompt : kPrompts)
    if (chosen == prompt.name) setChoice(tr("Prompt: %1").arg(PromptMenu::tr(prompt.brief)));
}

}  // namespace tandem::ui
