// One model before or after it is loaded: what it is, how another one differs, what memory it would take,
// whose tokenizer it uses.
#pragma once

#include <optional>

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QTableWidget>
#include <QWidget>

#include "ui/latest_task.h"
#include "ui/models/model_list.h"
#include "ui/widgets/memory_bar.h"

namespace tandem::ui {

class ModelCard : public QWidget {
  Q_OBJECT
 public:
  ModelCard(Workspace& workspace, ModelList& list, QWidget* parent = nullptr);
  /// `choice`: a bundled name, a folder or a file. Its files are read on a worker thread.
  void showModel(const QString& choice);
  void compareWith(const QString& choice);

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  /// What the card knows of a model; without an info it could not be read.
  struct Reading {
    QString choice, error;
    std::optional<tandem::ModelInfo> info;
    bool ownTokenizer = true;
  };
  struct Readings {
    std::shared_ptr<const std::vector<Reading>> models;  // null before the first
    std::int64_t available = 0;                          // memory of the device; 0: unknown
  };

  void buildLayout();
  QLayout* loadRow();
  void offerComparisons();
  void read();
  bool busy() const;  // the machine is needed for more than a hash
  void hash();
  void refresh();
  void refreshTable();
  void refreshMemory();
  void refreshTokenizer();
  void refreshButtons();
  void chooseTokenizer();
  void chooseWeights();
  const Reading* shown() const;
  static Reading readModel(const QString& choice, const tandem::LoadOptions& options);
  QString planText(const tandem::ModelInfo& info, const tandem::MemoryPlan& plan) const;

  Workspace& m_workspace;
  ModelList& m_list;
  QString m_choice, m_other;
  Readings m_readings;
  LatestTask<Readings> m_reader;
  LatestTask<QString> m_hasher;  // of the shown model, while nothing else needs the machine
  QLabel *m_name, *m_path, *m_plan, *m_tokenizer;
  QComboBox *m_compare, *m_weights;
  QCheckBox* m_onlyDifferences;
  QTableWidget* m_facts;
  MemoryBar* m_memory;
  QPushButton *m_chooseTokenizer, *m_loadSide[2];
};

}  // namespace tandem::ui
