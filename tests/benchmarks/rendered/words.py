"""What stands on receipts in each language: every list holds printed manners to choose from."""


def table(text):
    """`key: one | two` lines as a dictionary of lists."""
    rows = (line.split(":", 1) for line in text.strip().splitlines())
    return {key.strip(): [word.strip() for word in words.split(" | ")] for key, words in rows}


LABELS = {
    "en": table("""
        receipt: Receipt No | Receipt # | Receipt | Ticket no. | Trans | Check # | Order No | Bill No
        invoice: Invoice No | Invoice Number | Invoice # | Invoice
        credit: CREDIT NOTE | REFUND | REFUND RECEIPT
        credit_no: Credit note no | Refund no
        date: Date | Date | Trans date | Issued
        invoice_date: Invoice date | Date of issue | Date
        due_date: Due date | Payment due | Please pay by
        subtotal: Subtotal | Sub total | Sub-total | SUBTOTAL | Net total
        total: TOTAL | Total | Grand total | Total due | Amount due | BALANCE DUE | Total to pay
        refund_total: TOTAL REFUND | Refund total | Total
        discount: Discount | Less discount | Member discount | Coupon
        item_discount: Discount | Price cut | Promo | Multibuy saving
        rounding: Rounding | Rounding adj | Rounding Adjustment
        service: Service charge | Service
        tip: Tip | Gratuity
        cash: Cash | CASH | Cash tendered | Cash paid
        change: Change | CHANGE | Change due
        card: Card | Debit card | Credit card | Paid by card | Contactless
        refunded: Refunded to card | Card refund
        net: Net | Net amount | Excl. tax
        gross: Gross | Incl. tax
        rate: Rate | Tax rate | %
        qty: Qty | QTY | Quantity
        item: Item | Description | Article
        unit: Price | Unit price | Each
        amount: Amount | Total | Line total
        phone: Tel | Tel. | Phone | Telephone | Tel:
        table: Table
        guests: Guests | Covers
        served: Served by | Server | Cashier
        till: Till | Register | POS
        thanks: Thank you for your visit | Thank you, please call again | Have a nice day! | Please retain this receipt
        hours: Open Mon-Sat 8 to 20 | Open daily 07:00 - 22:00
        count: Items sold: {n} | No. of items {n} | {n} ITEMS
        points: Points earned: {n} | Your points balance {n}
        savings: You saved {m} today | Total savings {m}
        per_night: Room, per night
        bill_to: Bill to | Invoice to
        account: Please transfer to account
        entry: Entry
        exit: Exit
        pump: Pump
        included: incl. | included | included in total
        page: Page 1 of 1
    """),
    "de": table("""
        receipt: Bon-Nr. | Beleg-Nr. | Bon | Belegnummer | Kassenbon Nr. | Quittung Nr. | Rechnung Nr.
        invoice: Rechnungsnummer | Rechnung Nr. | Rechnungs-Nr.
        credit: GUTSCHRIFT | RÜCKGABE | Storno
        credit_no: Gutschrift Nr. | Beleg-Nr.
        date: Datum | Belegdatum
        invoice_date: Rechnungsdatum | Datum
        due_date: Fällig am | Zahlbar bis | Fälligkeit
        subtotal: Zwischensumme | Zw.-Summe | Netto gesamt
        total: SUMME | Summe | Gesamt | Gesamtbetrag | Zu zahlen | TOTAL | Endbetrag
        refund_total: Summe | Auszahlung | Gesamtbetrag
        discount: Rabatt | Nachlass | Kundenrabatt | Gutschein
        item_discount: Rabatt | Preisvorteil | Aktion
        rounding: Rundung | Rundungsdifferenz
        service: Bedienung | Servicezuschlag
        tip: Trinkgeld
        cash: Bar | BAR | Gegeben | Bar gegeben
        change: Rückgeld | Zurück | RÜCKGELD
        card: EC-Karte | Girocard | Kartenzahlung | Kreditkarte
        refunded: Erstattet auf Karte | Bar ausgezahlt
        net: Netto | Nettobetrag
        gross: Brutto | Bruttobetrag
        rate: Satz | MwSt % | Steuersatz
        qty: Menge | Anz. | Anzahl
        item: Artikel | Bezeichnung | Leistung
        unit: Einzelpreis | E-Preis | Preis
        amount: Betrag | Gesamt | Summe EUR
        phone: Tel. | Telefon | Tel | Fon
        table: Tisch
        guests: Gäste
        served: Es bediente Sie | Bediener | Kassierer
        till: Kasse
        thanks: Vielen Dank für Ihren Einkauf | Danke für Ihren Besuch | Auf Wiedersehen | Bitte beehren Sie uns bald wieder
        hours: Mo-Fr 8-20 Uhr, Sa 8-18 Uhr | Öffnungszeiten: täglich 7 - 22 Uhr
        count: Anzahl Artikel: {n} | {n} Artikel | Posten: {n}
        points: Punktestand: {n} | Sie erhalten {n} Punkte
        savings: Sie sparen {m} | Ihre Ersparnis heute {m}
        per_night: Übernachtung
        bill_to: Rechnung an
        account: Bitte überweisen Sie auf Konto
        entry: Einfahrt
        exit: Ausfahrt
        pump: Zapfsäule
        included: enthaltene | inkl. | enth.
        page: Seite 1 von 1
    """),
    "fr": table("""
        receipt: Ticket n° | Ticket | Reçu n° | No ticket | Note n°
        invoice: Facture n° | Numéro de facture | N° de facture
        credit: AVOIR | REMBOURSEMENT
        credit_no: Avoir n°
        date: Date | Le
        invoice_date: Date de facture | Date d'émission | Date
        due_date: Échéance | Date d'échéance | À régler avant le
        subtotal: Sous-total | Total HT | SOUS-TOTAL
        total: TOTAL | TOTAL TTC | Total à payer | Net à payer | Montant dû
        refund_total: TOTAL | Total remboursé
        discount: Remise | Réduction | Remise fidélité
        item_discount: Remise | Remise immédiate | Promo
        rounding: Arrondi
        service: Service
        tip: Pourboire
        cash: Espèces | ESPECES | Espèces reçues
        change: Rendu | Monnaie rendue | A rendre
        card: Carte bancaire | CB | Carte bleue
        refunded: Remboursé sur carte
        net: HT | Montant HT
        gross: TTC | Montant TTC
        rate: Taux | Taux TVA
        qty: Qté | Quantité
        item: Désignation | Article | Libellé
        unit: P.U. | Prix unit. | PU TTC
        amount: Montant | Total
        phone: Tél. | Tél | Téléphone
        table: Table
        guests: Couverts
        served: Servi par | Caissier
        till: Caisse
        thanks: Merci de votre visite | À bientôt | Merci et bonne journée
        hours: Ouvert du lundi au samedi 8h-20h | Ouvert 7j/7 de 7h à 22h
        count: Nombre d'articles : {n} | {n} articles
        points: Points fidélité : {n} | Solde de points {n}
        savings: Vous avez économisé {m}
        per_night: Nuitée
        bill_to: Facturé à
        account: À virer sur le compte
        entry: Entrée
        exit: Sortie
        pump: Pompe
        included: dont | incluse
        page: Page 1 sur 1
    """),
    "es": table("""
        receipt: Ticket nº | Nº ticket | Recibo nº | Factura simplificada
        invoice: Factura nº | Número de factura | Nº factura
        credit: ABONO | DEVOLUCIÓN
        credit_no: Abono nº
        date: Fecha
        invoice_date: Fecha de factura | Fecha de emisión | Fecha
        due_date: Vencimiento | Fecha de vencimiento
        subtotal: Subtotal | SUBTOTAL | Base imponible
        total: TOTAL | Total a pagar | TOTAL EUROS | Importe total
        refund_total: TOTAL | Total devuelto
        discount: Descuento | Dto. | Descuento socio
        item_discount: Descuento | Dto. | Oferta
        rounding: Redondeo
        service: Servicio
        tip: Propina
        cash: Efectivo | EFECTIVO | Entregado
        change: Cambio | CAMBIO | Devolución
        card: Tarjeta | Tarjeta bancaria | Pago con tarjeta
        refunded: Devuelto a tarjeta
        net: Base | Base imp. | Base imponible
        gross: Importe | Total
        rate: Tipo | % IVA
        qty: Cant. | Uds. | Cantidad
        item: Descripción | Artículo | Concepto
        unit: Precio | P. unit. | PVP
        amount: Importe | Total
        phone: Tel. | Tfno. | Teléfono
        table: Mesa
        guests: Comensales
        served: Le atendió | Cajero
        till: Caja
        thanks: Gracias por su visita | Gracias por su compra | Hasta pronto
        hours: Abierto de lunes a sábado 9-21h | Horario: 8:00 a 22:00
        count: Nº artículos: {n} | {n} artículos
        points: Puntos acumulados: {n}
        savings: Ha ahorrado {m}
        per_night: Noche habitación
        bill_to: Cliente
        account: Transferir a la cuenta
        entry: Entrada
        exit: Salida
        pump: Surtidor
        included: incluido | incl.
        page: Página 1 de 1
    """),
    "ms": table("""
        receipt: No. Resit | Resit | Bil No. | No. Bil | Receipt No
        invoice: No. Invois | Invois
        credit: NOTA KREDIT | BAYARAN BALIK
        credit_no: No. Nota Kredit
        date: Tarikh | Date
        invoice_date: Tarikh invois | Tarikh
        due_date: Tarikh akhir bayaran
        subtotal: Jumlah kecil | Subtotal | Sub Total
        total: JUMLAH | Jumlah | Jumlah bersih | Jumlah besar | Jumlah perlu dibayar | TOTAL
        refund_total: JUMLAH | Jumlah dipulangkan
        discount: Diskaun | Potongan
        item_discount: Diskaun | Potongan harga
        rounding: Pelarasan | Penggenapan | Rounding Adj
        service: Caj perkhidmatan | Service charge
        tip: Tip
        cash: Tunai | TUNAI | Cash
        change: Baki | BAKI | Change
        card: Kad | Kad kredit | Kad debit
        refunded: Dipulangkan ke kad
        net: Amaun | Amt (RM)
        gross: Jumlah
        rate: Kadar | Kadar cukai
        qty: Kuantiti | Ktt | Qty
        item: Perkara | Butiran | Item
        unit: Harga | Harga seunit
        amount: Amaun | Jumlah (RM)
        phone: Tel | No. Tel | Tel:
        table: Meja
        guests: Pax
        served: Juruwang | Cashier
        till: Kaunter | POS
        thanks: Terima kasih, sila datang lagi | Terima kasih | Barang yang dijual tidak boleh dikembalikan
        hours: Dibuka setiap hari 8 pagi - 10 malam
        count: Bilangan item: {n} | Jumlah item: {n}
        points: Mata ganjaran: {n}
        savings: Anda jimat {m}
        per_night: Bilik, satu malam
        bill_to: Kepada
        account: Bayar ke akaun
        entry: Masuk
        exit: Keluar
        pump: Pam
        included: termasuk
        page: Muka 1 / 1
    """),
}

MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
    "ms": "Jan Feb Mac Apr Mei Jun Jul Ogos Sep Okt Nov Dis".split(),
}
