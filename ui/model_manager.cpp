#include "ui/model_manager.h"

#include <QDragEnterEvent>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMimeData>
#include <QSplitter>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "core/models/memory_plan.h"
#include "ui/file_kind.h"
#include "ui/public_models.h"
#include "ui/theme.h"

namespace tandem::ui {

QString draggedPath(const QMimeData* data) {
  const QList<QUrl> urls = data->urls();
  return urls.size() == 1 && urls.front().isLocalFile() ? urls.front().toLocalFile() : QString();
}

ModelManager::ModelManager(Workspace& workspace, QWidget* parent)
    : QDialog(parent),
      m_workspace(workspace),
      m_list(new ModelList(workspace, this)),
      m_view(new QTreeView(this)),
      m_card(new ModelCard(workspace, *m_list, this)),
      m_pages(new QStackedWidget(this)),
      m_message(new MessageBar(this)),
      m_loading(new QWidget(this)),
      m_loadingText(new QLabel(this)),
      m_progress(new QProgressBar(this)),
      m_remove(new QPushButton(tr("&Remove from list"), this)),
      m_getModels(new QPushButton(tr("Where to &get models"), this)),
      m_finder([this](const Found& found) {
        if (!found.error.isEmpty()) return m_message->tell(MessageBar::Kind::Problem, found.error);
        m_workspace.recentModels().add(found.path);
        select(RecentModels::normalised(found.path));
      }) {
  setObjectName(QStringLiteral("modelManager"));
  setWindowTitle(tr("Models"));
  setAcceptDrops(true);
  auto* splitter = new QSplitter(this);
  splitter->addWidget(listSide());
  splitter->addWidget(cardSide());
  splitter->setStretchFactor(1, 1);
  splitter->setChildrenCollapsible(false);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(12, 12, 12, 12);
  layout->addWidget(m_message);
  layout->addWidget(splitter, 1);
  layout->addWidget(m_loading);
  connectWorkspace();
  resize(980, 600);
}

QWidget* ModelManager::listSide() {
  m_view->setObjectName(QStringLiteral("modelList"));
  m_view->setAccessibleName(tr("Models"));
  m_view->setModel(m_list);
  m_view->setRootIsDecorated(false);
  m_view->setUniformRowHeights(true);
  m_view->header()->setStretchLastSection(false);
  m_view->header()->setSectionResizeMode(ModelList::NameColumn, QHeaderView::Stretch);
  m_view->header()->setSectionResizeMode(ModelList::NoteColumn, QHeaderView::ResizeToContents);
  connect(m_view->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
          [this](const QModelIndex& row) { showChoice(row.data(ModelList::ChoiceRole).toString()); });
  connect(m_list, &QAbstractItemModel::modelReset, this, &ModelManager::refreshList);

  auto* folder = new QPushButton(tr("Open &folder…"), this);
  folder->setObjectName(QStringLiteral("openModelFolder"));
  connect(folder, &QPushButton::clicked, this, [this] {
    const QString path = QFileDialog::getExistingDirectory(this, tr("Open a model's folder"));
    if (!path.isEmpty()) openPath(path);
  });
  auto* file = new QPushButton(tr("&Open file…"), this);
  file->setObjectName(QStringLiteral("openModelFile"));
  connect(file, &QPushButton::clicked, this, [this] {
    const QString path = QFileDialog::getOpenFileName(this, tr("Open a model file"), QString(),
                                                      tr("Models (*.gguf *.safetensors config.json)"));
    if (!path.isEmpty()) openPath(path);
  });
  m_remove->setObjectName(QStringLiteral("removeModel"));
  connect(m_remove, &QPushButton::clicked, this, &ModelManager::removeChosen);
  m_getModels->setObjectName(QStringLiteral("getModels"));
  m_getModels->setCheckable(true);
  connect(m_getModels, &QPushButton::clicked, this,
          [this](bool checked) { m_pages->setCurrentIndex(checked || m_shown.isEmpty() ? 1 : 0); });

  auto* side = new QWidget(this);
  auto* opening = new QHBoxLayout;
  opening->addWidget(folder);
  opening->addWidget(file);
  auto* layout = new QVBoxLayout(side);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addLayout(opening);
  layout->addWidget(m_view, 1);
  layout->addWidget(m_remove);
  layout->addWidget(m_getModels);
  side->setMinimumWidth(290);
  return side;
}

QWidget* ModelManager::cardSide() {
  m_pages->addWidget(m_card);
  m_pages->addWidget(publicModels());
  m_pages->setCurrentIndex(1);
  auto* stop = new QPushButton(tr("Sto&p"), m_loading);
  stop->setObjectName(QStringLiteral("stopLoading"));
  connect(stop, &QPushButton::clicked, &m_workspace, &Workspace::stop);
  m_loadingText->setObjectName(QStringLiteral("loadingText"));
  m_progress->setAccessibleName(tr("Loading"));
  auto* row = new QHBoxLayout(m_loading);
  row->setContentsMargins(0, 0, 0, 0);
  row->addWidget(m_loadingText);
  row->addWidget(m_progress, 1);
  row->addWidget(stop);
  m_loading->hide();
  return m_pages;
}

QWidget* ModelManager::publicModels() {
  auto* text = new QTextBrowser(this);
  text->setObjectName(QStringLiteral("publicModels"));
  text->setAccessibleName(tr("Where to get models"));
  text->setFrameShape(QFrame::NoFrame);
  text->setHtml(publicModelsText());
  return text;
}

void ModelManager::connectWorkspace() {
  connect(&m_workspace, &Workspace::failed, this, [this](const QString& sentence) {
    if (isVisible()) m_message->tell(MessageBar::Kind::Problem, sentence);
  });
  connect(&m_workspace, &Workspace::loadProgress, this, [this](const QString& what, int percent) {
    m_loading->setVisible(!what.isEmpty());
    m_loadingText->setText(what);
    m_progress->setValue(percent);
  });
}

void ModelManager::compareLoaded() {
  QStringList loaded;
  for (int row = 0; row < m_list->rowCount(); ++row) {
    const QModelIndex note = m_list->index(row, ModelList::NoteColumn);
    if (note.data(ModelList::LoadedRole).toBool()) loaded << note.data(ModelList::ChoiceRole).toString();
  }
  if (loaded.isEmpty()) return;
  select(loaded.front());
  m_card->compareWith(loaded.size() > 1 ? loaded.back() : QString());
}

void ModelManager::openPath(const QString& path) {
  m_message->hide();
  if (fileKind(path) != FileKind::Model) {
    return m_message->tell(
        MessageBar::Kind::Problem,
        tr("%1 is no model: wanted a folder with config.json and weights, or a .safetensors "
           "or .gguf file")
            .arg(path));
  }
  m_finder.start([path](const std::stop_token&) -> Found {
    const auto info = tandem::inspect_model(path.toStdString());
    if (!info) return {path, QString::fromStdString(info.error().message)};
    return {QString::fromStdString(info->path), {}};
  });
}

void ModelManager::select(const QString& choice) {
  const int row = m_list->find(choice);
  if (row >= 0) m_view->setCurrentIndex(m_list->index(row, ModelList::NameColumn));
}

void ModelManager::showChoice(const QString& choice) {
  m_remove->setEnabled(m_view->currentIndex().data(ModelList::RecentRole).toBool());
  if (choice.isEmpty()) return;
  m_shown = choice;
  m_getModels->setChecked(false);
  m_pages->setCurrentIndex(0);
  m_card->showModel(choice);
}

/// The list forgot its current row when it was read anew.
void ModelManager::refreshList() {
  if (m_list->find(m_shown) < 0) {
    m_shown.clear();
    m_pages->setCurrentIndex(1);
  }
  m_remove->setEnabled(false);
  select(m_shown);
}

/// The model behind the removed one takes its place.
void ModelManager::removeChosen() {
  const QModelIndex current = m_view->currentIndex();
  const int row = current.row();
  m_workspace.recentModels().remove(current.data(ModelList::ChoiceRole).toString());
  m_view->setCurrentIndex(m_list->index(row, ModelList::NameColumn));
}

void ModelManager::dragEnterEvent(QDragEnterEvent* event) {
  if (fileKind(draggedPath(event->mimeData())) == FileKind::Model) event->acceptProposedAction();
}

void ModelManager::dropEvent(QDropEvent* event) {
  openPath(draggedPath(event->mimeData()));
  event->acceptProposedAction();
}

}  // namespace tandem::ui
