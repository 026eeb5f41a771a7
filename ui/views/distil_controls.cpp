#include "ui/views/distil_controls.h"

#include <algorithm>

#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QThread>

#include "core/base/resources.h"
#include "core/checkpoint/model_config.h"
#include "core/models/model.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

using tandem::training::Recipe;

const QString kDefaultRecipe = QStringLiteral("first-look");

bool hasTeacher(const QString& path) {
  const auto recipe = tandem::training::read_recipe(path.toStdString());
  return recipe && !recipe->teacher.empty();
}

}  // namespace

DistilControls::DistilControls(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      m_recipe(new QComboBox(this)),
      m_teacher(new QComboBox(this)),
      m_threads(new QSpinBox(this)),
      m_device(new DeviceButton(workspace, DeviceButton::Form::Brief, this)),
      m_start(new QPushButton(tr("Start"), this)),
      m_pause(new QPushButton(tr("Pause"), this)),
      m_resume(new QPushButton(tr("Resume"), this)),
      m_import(new QPushButton(tr("Open run folder…"), this)) {
  m_recipe->setObjectName(QStringLiteral("distilRecipe"));
  m_teacher->setObjectName(QStringLiteral("distilTeacher"));
  m_threads->setObjectName(QStringLiteral("distilThreads"));
  m_start->setObjectName(QStringLiteral("distilStart"));
  m_pause->setObjectName(QStringLiteral("distilPause"));
  m_resume->setObjectName(QStringLiteral("distilResume"));
  m_import->setObjectName(QStringLiteral("distilImport"));
  m_recipe->setMinimumContentsLength(16);
  m_teacher->setMinimumContentsLength(16);
  m_threads->setRange(1, std::max(1, QThread::idealThreadCount()));
  m_threads->setValue(m_threads->maximum());
  const auto colorIcon = [this] {
    m_start->setIcon(Theme::icon(QStringLiteral("run"), Theme::instance().colors().correct));
  };
  connect(&Theme::instance(), &Theme::changed, this, colorIcon);
  colorIcon();
  m_import->setToolTip(
      tr("Shows a run that was recorded elsewhere: a folder with recipe.json and log.jsonl"));
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  const auto add = [&](const QString& name, QWidget* control) {
    auto* label = new QLabel(name, this);
    label->setBuddy(control);
    control->setAccessibleName(name);
    row->addWidget(label);
    row->addWidget(control);
  };
  add(tr("Recipe"), m_recipe);
  add(tr("Teacher"), m_teacher);
  add(tr("Threads"), m_threads);
  row->addWidget(new QLabel(tr("on"), this));
  row->addWidget(m_device);
  for (QPushButton* button : {m_start, m_pause, m_resume}) row->addWidget(button);
  row->addStretch(1);
  row->addWidget(m_import);
  connect(m_recipe, &QComboBox::activated, this, &DistilControls::recipeActivated);
  connect(m_teacher, &QComboBox::activated, this, &DistilControls::teacherActivated);
  connect(m_start, &QPushButton::clicked, this, &DistilControls::startRequested);
  connect(m_pause, &QPushButton::clicked, this, &DistilControls::pauseRequested);
  connect(m_resume, &QPushButton::clicked, this, &DistilControls::resumeRequested);
  connect(m_import, &QPushButton::clicked, this, [this] {
    const QString folder = QFileDialog::getExistingDirectory(this, tr("Open the folder of a training run"));
    if (!folder.isEmpty()) emit importRequested(folder);
  });
  addBundled();
  setState(State::Ready, false, {});
}

/// Those that distil come first, and the default one before them.
void DistilControls::addBundled() {
  const QDir folder(QString::fromStdString(tandem::resource_path("recipes")));
  QStringList distilling, others;
  for (const QFileInfo& file : folder.entryInfoList({QStringLiteral("*.json")}, QDir::Files, QDir::Name)) {
    const QString path = file.absoluteFilePath();
    QStringList& list = hasTeacher(path) ? distilling : others;
    file.baseName() == kDefaultRecipe ? list.prepend(path) : list.append(path);
  }
  for (const QString& path : distilling + others) m_recipe->addItem(QFileInfo(path).baseName(), path);
  m_recipe->insertSeparator(m_recipe->count());
  m_recipe->addItem(tr("Open a recipe…"));
  refreshTeachers();
}

void DistilControls::recipeActivated(int item) {
  if (m_recipe->itemData(item).isValid()) {
    m_chosen = item;
    refreshTeachers();
    return void(emit recipeChanged());
  }
  m_recipe->setCurrentIndex(m_chosen);  // until another one is chosen
  const QString path =
      QFileDialog::getOpenFileName(this, tr("Open a recipe"), QString(), tr("Recipes (*.json)"));
  if (!path.isEmpty()) chooseRecipe(path);
}

void DistilControls::chooseRecipe(const QString& path) {
  const int known = m_recipe->findData(path);
  if (known < 0) m_recipe->insertItem(0, QFileInfo(path).baseName(), path);
  m_chosen = std::max(known, 0);
  m_recipe->setCurrentIndex(m_chosen);
  refreshTeachers();
  emit recipeChanged();
}

/// The recipe's own first. A recipe without a teacher takes none.
void DistilControls::refreshTeachers() {
  const auto recipe = tandem::training::read_recipe(m_recipe->itemData(m_chosen).toString().toStdString());
  const QString own = recipe ? QString::fromStdString(recipe->teacher) : QString();
  m_teacher->clear();
  m_teacher->setEnabled(!own.isEmpty());
  if (own.isEmpty()) return m_teacher->addItem(tr("none"), QString());
  m_teacher->addItem(QFileInfo(own).fileName(), own);
  for (const std::string& name : tandem::bundled_models()) {
    const auto config = tandem::read_model_config(tandem::resource_path("models/" + name));
    const QString model = QString::fromStdString(name);
    const bool teaches = config && config->family == tandem::ModelFamily::Llama && !config->is_verifier;
    if (teaches && model != own) m_teacher->addItem(model, model);
  }
  m_teacher->insertSeparator(m_teacher->count());
  m_teacher->addItem(tr("Open a folder…"));
}

void DistilControls::teacherActivated(int item) {
  if (m_teacher->itemData(item).isValid()) return;
  m_teacher->setCurrentIndex(0);
  const QString folder =
      QFileDialog::getExistingDirectory(this, tr("Open a teacher: a folder of a Llama model"));
  if (folder.isEmpty()) return;
  m_teacher->insertItem(0, QFileInfo(folder).fileName(), folder);
  m_teacher->setCurrentIndex(0);
}

tandem::Result<Recipe> DistilControls::recipe() const {
  TANDEM_TRY(Recipe recipe,
             tandem::training::read_recipe(m_recipe->itemData(m_chosen).toString().toStdString()));
  const std::string teacher = m_teacher->currentData().toString().toStdString();
  if (teacher.empty() || teacher == recipe.teacher) return recipe;
  return tandem::training::with_teacher(recipe, teacher);
}

QString DistilControls::recipeName() const {
  return m_recipe->itemText(m_chosen);
}

int DistilControls::threads() const {
  return m_threads->value();
}

void DistilControls::setThreads(int threads) {
  m_threads->setValue(threads);
}

void DistilControls::setState(State state, bool resumable, const QString& why) {
  const bool ready = state == State::Ready;
  m_recipe->setEnabled(ready);
  m_teacher->setEnabled(ready && !m_teacher->itemData(0).toString().isEmpty());
  m_threads->setEnabled(ready);
  m_device->setEnabled(ready);
  m_start->setEnabled(ready);
  m_pause->setEnabled(state == State::Running);
  m_resume->setEnabled(ready && resumable);
  m_pause->setText(state == State::Stopping ? tr("Pausing…") : tr("Pause"));
  m_start->setToolTip(ready ? tr("Trains a fresh student as the recipe says (S)") : why);
  m_pause->setToolTip(tr("Saves a checkpoint and stops (S)"));
  m_resume->setToolTip(resumable ? tr("Goes on from the chosen run's checkpoint")
                                 : tr("Choose a run below that is paused and whose folder is still there"));
}

}  // namespace tandem::ui
