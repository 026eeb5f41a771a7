// The models to choose from: those opened lately, then the bundled ones; and what each is in the window.
#pragma once

#include <QAbstractTableModel>
#include <QList>

#include "ui/workspace.h"

namespace tandem::ui {

class ModelList : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { NameColumn, NoteColumn, ColumnCount };
  enum Role {
    ChoiceRole = Qt::UserRole + 1,  // what Workspace::openModel() takes
    MissingRole,                    // it is not where it was
    LoadedRole,                     // it is one of the window's two
    RecentRole,                     // not a bundled one: it may be removed from the list
  };
  explicit ModelList(Workspace& workspace, QObject* parent = nullptr);
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  QHash<int, QByteArray> roleNames() const override;
  /// The row of a choice, or -1.
  int find(const QString& choice) const;

 private:
  struct Row {
    QString choice, name, note;
    bool missing = false, recent = false, loaded = false;
  };
  void reload();
  void annotate(Row& row) const;

  Workspace& m_workspace;
  QList<Row> m_rows;
};

}  // namespace tandem::ui
