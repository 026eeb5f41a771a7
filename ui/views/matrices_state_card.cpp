#include "ui/views/matrices_state_card.h"

#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/theme.h"

namespace tandem::ui {

MatricesStateCard::MatricesStateCard(QWidget* parent)
    : QWidget(parent),
      m_title(new QLabel(this)),
      m_text(new QLabel(this)),
      m_progress(new QProgressBar(this)),
      m_capture(new QPushButton(this)),
      m_cancel(new QPushButton(tr("Cancel"), this)) {
  setObjectName(QStringLiteral("stateCard"));
  m_title->setObjectName(QStringLiteral("stateTitle"));
  m_text->setObjectName(QStringLiteral("stateText"));
  m_capture->setObjectName(QStringLiteral("stateCapture"));
  m_cancel->setObjectName(QStringLiteral("stateCancel"));
  m_title->setFont(Theme::body(13, QFont::DemiBold));
  m_title->setAlignment(Qt::AlignHCenter);
  m_text->setWordWrap(true);
  m_text->setAlignment(Qt::AlignHCenter);
  m_text->setFixedWidth(560);  // a width of its own choice would be for fewer lines than it then needs
  m_progress->setRange(0, 0);
  m_progress->setMaximumWidth(320);
  m_progress->setAccessibleName(tr("Capturing"));
  auto* column = new QVBoxLayout(this);
  column->setSpacing(16);
  column->addStretch(1);
  for (QWidget* widget :
       {static_cast<QWidget*>(m_title), static_cast<QWidget*>(m_text), static_cast<QWidget*>(m_progress),
        static_cast<QWidget*>(m_capture), static_cast<QWidget*>(m_cancel)})
    column->addWidget(widget, 0, Qt::AlignHCenter);
  column->addStretch(2);
  connect(m_capture, &QPushButton::clicked, this, &MatricesStateCard::captureRequested);
  connect(m_cancel, &QPushButton::clicked, this, &MatricesStateCard::cancelRequested);
}

void MatricesStateCard::showEmpty(const QString& text, bool canCapture) {
  m_title->setText(tr("No matrices yet"));
  m_text->setText(text);
  m_capture->setText(tr("Capture matrices"));
  m_capture->setVisible(canCapture);
  m_progress->hide();
  m_cancel->hide();
}

void MatricesStateCard::showBusy(const QString& text) {
  m_title->setText(tr("Working"));
  m_text->setText(text);
  m_capture->hide();
  m_progress->show();
  m_cancel->show();
}

void MatricesStateCard::showError(const QString& sentence, bool canRetry) {
  m_title->setText(tr("This did not work"));
  m_text->setText(sentence);
  m_capture->setText(tr("Try again"));
  m_capture->setVisible(canRetry);
  m_progress->hide();
  m_cancel->hide();
}

}  // namespace tandem::ui
