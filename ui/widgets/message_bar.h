// A line above the views for what the user should know but need not answer at once: an error and what to do,
// an interrupted session to take up.
#pragma once

#include <functional>

#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>

namespace tandem::ui {

class MessageBar : public QFrame {
  Q_OBJECT
 public:
  enum class Kind { Information, Problem };
  struct Offer {
    QString text;
    std::function<void()> accept;
  };
  explicit MessageBar(QWidget* parent = nullptr);
  /// Stays until dismissed, an offer is accepted, or another message comes.
  void tell(Kind kind, const QString& text, const QList<Offer>& offers = {});
  QString text() const { return m_text->text(); }

 private:
  QLabel* m_icon;
  QLabel* m_text;
  QHBoxLayout* m_offers;
};

}  // namespace tandem::ui
