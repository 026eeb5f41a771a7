// The one linked selection: move it anywhere, it moves everywhere. Views never talk to each other.
#pragma once

#include <QObject>

namespace tandem::ui {

class SelectionModel : public QObject {
  Q_OBJECT
 public:
  enum Field {
    Layer = 1,
    Head = 2,
    Query = 4,
    Key = 8,
    ProblemIndex = 16,
    CompletionIndex = 32,
    K = 64,
    Seconds = 128,
    Linked = 256
  };
  Q_DECLARE_FLAGS(Fields, Field)

  using QObject::QObject;
  int layer() const { return m_layer; }
  int head() const { return m_head; }
  int query() const { return m_query; }            // -1 = none
  int key() const { return m_key; }                // -1 = none
  int problem() const { return m_problem; }        // index into the workspace's problem set
  int completion() const { return m_completion; }  // -1 = none
  int k() const { return m_k; }
  double seconds() const { return m_seconds; }
  bool linked() const { return m_linked; }  // k and seconds move together

  void setLayer(int value);
  void setHead(int value);
  void setCell(int query, int key);
  void setProblem(int value);
  void setCompletion(int value);
  void setK(int value);
  void setSeconds(double value);
  void setLinked(bool value);

 signals:
  void changed(tandem::ui::SelectionModel::Fields fields);

 private:
  int m_layer = 0, m_head = 0, m_query = -1, m_key = -1, m_problem = 0, m_completion = -1, m_k = 1;
  double m_seconds = 1.0;
  bool m_linked = true;
};

}  // namespace tandem::ui
Q_DECLARE_OPERATORS_FOR_FLAGS(tandem::ui::SelectionModel::Fields)
