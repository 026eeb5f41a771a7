// A plot's numbers as a table: for reading exact values, copying, and screen readers.
#pragma once

#include <QAbstractTableModel>
#include <QDialog>

#include "ui/widgets/plot.h"

namespace tandem::ui {

class PlotTableModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  explicit PlotTableModel(PlotTable table, QObject* parent = nullptr);
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  PlotTable m_table;
};

class TableWindow : public QDialog {
  Q_OBJECT
 public:
  TableWindow(const QString& title, PlotTable table, QWidget* parent = nullptr);
};

}  // namespace tandem::ui
