#include "ui/widgets/table_window.h"

#include <algorithm>
#include <utility>

#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QShortcut>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

/// The selected cells, tabs between columns: what spreadsheets paste.
void copySelection(const QTableView& view) {
  QModelIndexList cells = view.selectionModel()->selectedIndexes();
  std::sort(cells.begin(), cells.end());
  QString text;
  for (qsizetype i = 0; i < cells.size(); ++i) {
    if (i > 0) text += cells[i].row() == cells[i - 1].row() ? QLatin1Char('\t') : QLatin1Char('\n');
    text += cells[i].data().toString();
  }
  QApplication::clipboard()->setText(text);
}

}  // namespace

PlotTableModel::PlotTableModel(PlotTable table, QObject* parent)
    : QAbstractTableModel(parent), m_table(std::move(table)) {}

int PlotTableModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_table.rows.size());
}

int PlotTableModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_table.headers.size());
}

QVariant PlotTableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const QString text = m_table.rows[index.row()].value(index.column());
  if (role == Qt::DisplayRole) return text;
  if (role == Qt::TextAlignmentRole) {
    bool isNumber = false;
    text.toDouble(&isNumber);
    return QVariant::fromValue(Qt::AlignVCenter | (isNumber ? Qt::AlignRight : Qt::AlignLeft));
  }
  return {};
}

QVariant PlotTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (role != Qt::DisplayRole) return {};
  return orientation == Qt::Horizontal ? QVariant(m_table.headers.value(section)) : QVariant(section + 1);
}

TableWindow::TableWindow(const QString& title, PlotTable table, QWidget* parent) : QDialog(parent) {
  setWindowTitle(title);
  auto* view = new QTableView(this);
  view->setObjectName(QStringLiteral("plotTable"));
  view->setModel(new PlotTableModel(std::move(table), view));
  view->setFont(Theme::monospace(9));
  view->setAccessibleName(title);
  view->horizontalHeader()->setFont(Theme::body(9));
  view->resizeColumnsToContents();
  connect(new QShortcut(QKeySequence::Copy, view), &QShortcut::activated, view,
          [view] { copySelection(*view); });
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->addWidget(view);
  resize(640, 480);
}

}  // namespace tandem::ui
