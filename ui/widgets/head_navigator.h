// Layers x heads in one item view: thumbnails or scalar tiles. Hover previews a head, a click locks it,
// Escape unlocks; "L2H3" finds one.
#pragma once

#include <QWidget>

#include "ui/models/head_model.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QTableView;
class QToolButton;

namespace tandem::ui {

class HeadNavigator : public QWidget {
  Q_OBJECT
 public:
  explicit HeadNavigator(HeadModel* model, QWidget* parent = nullptr);

  /// Shows which head the maps show. Does not emit.
  void setCurrent(int layer, int head);
  bool locked() const { return m_locked; }
  void setLocked(bool on);
  /// Teacher heads to choose from where the counts differ; 0 hides the choice. Says why it is there.
  void setTeacherHeads(int count, int studentHeads, int current);

 signals:
  void previewed(int layer, int head);  // hovered while unlocked
  void previewEnded();
  void chosen(int layer, int head);
  void lockChanged(bool on);
  void teacherHeadPicked(int head);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void buildControls();
  void buildTable();
  void buildPairing();
  void search();
  void fitCells();
  void refreshFooter();
  void refreshLock();

  HeadModel* m_model;
  QComboBox* m_metric = nullptr;
  QComboBox* m_order = nullptr;
  QLineEdit* m_search = nullptr;
  QToolButton* m_lock = nullptr;
  QTableView* m_table = nullptr;
  QLabel* m_footer = nullptr;
  QWidget* m_pairing = nullptr;
  QLabel* m_pairingText = nullptr;
  QComboBox* m_teacherHead = nullptr;
  bool m_locked = false;
};

}  // namespace tandem::ui
