#include "ui/models/model_list.h"

#include <algorithm>

#include <QFileInfo>
#include <QSize>

#include "ui/file_kind.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr int kRowHeight = 28;  // easy to hit

}  // namespace

ModelList::ModelList(Workspace& workspace, QObject* parent)
    : QAbstractTableModel(parent), m_workspace(workspace) {
  connect(&m_workspace, &Workspace::modelsChanged, this, &ModelList::reload);
  connect(&m_workspace.recentModels(), &RecentModels::changed, this, &ModelList::reload);
  reload();
}

void ModelList::reload() {
  beginResetModel();
  m_rows.clear();
  for (const RecentModels::Entry& entry : m_workspace.recentModels().entries()) {
    const QFileInfo file(entry.path);
    const QString name = file.suffix() == QLatin1String("gguf") ? file.completeBaseName() : file.fileName();
    m_rows.append({entry.path, name, {}, !file.exists(), true, false});
  }
  for (const std::string& bundled : tandem::bundled_models()) {
    const QString name = QString::fromStdString(bundled);
    m_rows.append({name, name, {}, false, false, false});
  }
  for (Row& row : m_rows) annotate(row);
  endResetModel();
}

void ModelList::annotate(Row& row) const {
  QStringList notes;
  for (const Side side : {Side::Teacher, Side::Student}) {
    const auto model = m_workspace.model(side);
    if (!model) continue;
    const QString path = QString::fromStdString(model->info().path);
    const bool here = row.recent ? RecentModels::normalised(path) == row.choice
                                 : isBundledModel(path) && QFileInfo(path).fileName() == row.choice;
    if (here) notes << sideGlyph(side) + QLatin1Char(' ') + sideName(side);
  }
  row.loaded = !notes.isEmpty();
  if (row.missing) notes << tr("missing");
  if (notes.isEmpty() && !row.recent) notes << tr("bundled");
  row.note = notes.join(QStringLiteral(", "));
}

int ModelList::find(const QString& choice) const {
  const auto row =
      std::find_if(m_rows.begin(), m_rows.end(), [&](const Row& r) { return r.choice == choice; });
  return row == m_rows.end() ? -1 : static_cast<int>(row - m_rows.begin());
}

int ModelList::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int ModelList::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : ColumnCount;
}

QVariant ModelList::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const Row& row = m_rows[index.row()];
  switch (role) {
    case Qt::DisplayRole:
      return index.column() == NameColumn ? row.name : row.note;
    case Qt::ToolTipRole:
      return row.missing ? tr("%1 is not there any more").arg(row.choice) : row.choice;
    case Qt::ForegroundRole:
      if (row.missing || (index.column() == NoteColumn && row.note == tr("bundled")))
        return Theme::instance().colors().secondaryText;
      return {};
    case Qt::SizeHintRole:
      return QSize(0, kRowHeight);
    case ChoiceRole:
      return row.choice;
    case MissingRole:
      return row.missing;
    case LoadedRole:
      return row.loaded;
    case RecentRole:
      return row.recent;
    default:
      return {};
  }
}

QVariant ModelList::headerData(int section, Qt::Orientation orientation, int role) const {
  if (role != Qt::DisplayRole || orientation != Qt::Horizontal) return {};
  return section == NameColumn ? tr("Model") : tr("In the window");
}

QHash<int, QByteArray> ModelList::roleNames() const {
  QHash<int, QByteArray> names = QAbstractTableModel::roleNames();
  names[ChoiceRole] = "choice";
  names[MissingRole] = "missing";
  names[LoadedRole] = "loaded";
  names[RecentRole] = "recent";
  return names;
}

}  // namespace tandem::ui
