#include "ui/widgets/message_bar.h"

#include <QStyle>
#include <QToolButton>

#include "ui/theme.h"

namespace tandem::ui {

MessageBar::MessageBar(QWidget* parent)
    : QFrame(parent), m_icon(new QLabel(this)), m_text(new QLabel(this)), m_offers(new QHBoxLayout) {
  setObjectName(QStringLiteral("messageBar"));
  setAutoFillBackground(true);
  setBackgroundRole(QPalette::Button);
  m_text->setObjectName(QStringLiteral("message"));
  m_text->setWordWrap(true);
  m_text->setTextFormat(Qt::PlainText);
  m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  auto* dismiss = new QToolButton(this);
  dismiss->setText(QStringLiteral("✕"));
  dismiss->setAutoRaise(true);
  dismiss->setAccessibleName(tr("Dismiss"));
  dismiss->setToolTip(tr("Dismiss"));
  connect(dismiss, &QToolButton::clicked, this, &QWidget::hide);
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(12, 6, 8, 6);
  layout->addWidget(m_icon);
  layout->addWidget(m_text, 1);
  layout->addLayout(m_offers);
  layout->addWidget(dismiss);
  hide();
}

void MessageBar::tell(Kind kind, const QString& text, const QList<Offer>& offers) {
  const auto pixmap = kind == Kind::Problem ? QStyle::SP_MessageBoxWarning : QStyle::SP_MessageBoxInformation;
  m_icon->setPixmap(style()->standardIcon(pixmap, nullptr, this).pixmap(18));
  m_text->setText(text);
  while (QLayoutItem* old = m_offers->takeAt(0)) {
    old->widget()->deleteLater();
    delete old;
  }
  for (const Offer& offer : offers) {
    auto* button = new QPushButton(offer.text, this);
    connect(button, &QPushButton::clicked, this, [this, accept = offer.accept] {
      hide();
      accept();
    });
    m_offers->addWidget(button);
  }
  show();
}

}  // namespace tandem::ui
