"""What is sold: descriptions with a low and a high unit price, by language and kind of shop. All invented or generic."""


def goods(text):
    """`description low high` entries divided by `|`."""
    entries = (entry.rsplit(maxsplit=2) for entry in text.replace("\n", " ").split("|") if entry.strip())
    return [(" ".join(description.split()), float(low), float(high)) for description, low, high in entries]


GOODS = {
    "en": {
        "grocery": goods("""Whole Milk 2L 1.4 2.9 | Brown Bread 800g 1.1 3.2 | Free Range Eggs 12pk 2.4 5.5 | Salted Butter 250g 1.8 3.9
            | Mature Cheddar 400g 3.1 6.8 | Basmati Rice 1kg 1.9 4.5 | Cherry Tomatoes 0.9 2.9 | Dark Chocolate 70% 1.2 3.4
            | Olive Oil Extra Virgin 500ml 5.2 11.9 | Oat Drink Barista 1L 1.6 2.8 | Kitchen Towel 4 rolls 2.5 5.2 | Dish Soap Lemon 1.1 2.6
            | Penne Pasta 500g 0.8 2.1 | Ground Coffee Medium Roast 227g 3.4 7.2 | Sparkling Water 6x1.5L 2.1 4.8 | Paper Bag 0.1 0.3"""),
        "restaurant": goods("""House Burger 12 19 | Caesar Salad 8 14 | Fish and Chips 13 19 | Margherita Pizza 10 16 | Sticky Toffee Pudding 6 9
            | Sparkling Water 750ml 3 6 | Pale Ale Pint 5 8 | Glass House Red 6 11 | Grilled Salmon with Seasonal Vegetables 17 27
            | Garlic Bread 4 7 | Soup of the Day 6 9 | Sweet Potato Fries 4 7 | Lemonade 3 5 | Kids Pasta 6 9"""),
        "cafe": goods("""Flat White 3 5 | Cappuccino 3 5 | Espresso 2 3.5 | Chai Latte 3.5 5.5 | Almond Croissant 3 5 | Banana Bread 2.8 4.5
            | Avocado Toast on Sourdough 8 13 | Orange Juice 3 6 | Iced Tea Peach 3 5 | Blueberry Muffin 2.5 4.2"""),
        "hardware": goods("""Wood Screws 5x60 200pk 8 16 | Masking Tape 48mm 2.5 5 | Paint Roller Set 9 inch 9 17 | Masonry Paint White 10L 39 69
            | Cordless Drill Battery 18V 4.0Ah 49 99 | Dust Sheet Cotton 5 9 | Sanding Discs P120 10pk 6 12 | Cable Ties 300mm Black 3 7
            | LED Bulb E27 8W 3 8 | Silicone Sealant Clear 310ml 4 9 | Hex Key Set 9 pc 7 15"""),
        "pharmacy": goods("""Ibuprofen 200mg 16 tabs 1.2 4.5 | Vitamin C 1000mg Effervescent 4 9 | Plasters Assorted 20s 2 4.5 | Hand Cream 75ml 3 8
            | Sunscreen SPF50 200ml 9 19 | Cough Syrup 150ml 4 9 | Contact Lens Solution 360ml 7 14 | Toothpaste Whitening 75ml 2 5"""),
        "kiosk": goods("""Bottled Water 500ml 1 2.2 | Newspaper 1.5 3.5 | Chewing Gum 0.8 1.8 | Chocolate Bar 1 2 | Phone Top-up Voucher 10 20
            | Energy Drink 250ml 1.6 3 | Crisps Sea Salt 1 2.2"""),
        "fuel": goods("Unleaded 95 1.3 1.9 | Diesel 1.3 1.95 | Super Unleaded 98 1.5 2.1"),
        "extra": goods("Screenwash 5L 4 8 | Coffee to go 2 3.5 | Car Wash Silver 7 12"),
        "taxi": goods("Fare 9 48 | Airport surcharge 2 6 | Night supplement 1.5 4 | Luggage 1 2"),
        "parking": goods("Parking short stay 3 24"),
        "hotel": goods("Breakfast buffet 12 26 | Minibar 4 18 | Garage parking per night 10 28 | Laundry service 12 38 | Dinner restaurant 24 75"),
        "services": goods("""Website maintenance, monthly fee 90 420 | Consulting on site, per hour 80 165 | Travel allowance 25 90
            | Server hosting plan M 18 70 | Safety training for four persons, including course material 240 620 | Replacement filter cartridge 14 48
            | Installation and configuration of the access control system 180 950 | Data migration, flat rate 150 600"""),
    },
    "de": {
        "grocery": goods("""Vollmilch 3,5% 1L 0.99 1.6 | Bauernbrot 1kg 2.9 4.9 | Bio-Eier 10 St. 2.8 4.4 | Markenbutter 250g 1.8 3.4
            | Gouda jung Scheiben 1.6 3.2 | Äpfel Elstar 1.9 3.9 | Rispentomaten 1.2 3.3 | Spülmittel Zitrone 0.9 2.4 | Küchenrolle 4er 2.2 4.4
            | Olivenöl nativ extra 500ml 5.4 9.9 | Haferdrink 1L 1.2 2.3 | Nudeln Spirelli 500g 0.8 2.2 | Kaffee gemahlen 500g 4.9 8.9
            | Mineralwasser still 6x1,5L 1.7 4.6 | Müsli Früchte 750g 2.2 4.9 | Pfandartikel 0.25 0.25"""),
        "restaurant": goods("""Wiener Schnitzel mit Kartoffelsalat 15 24 | Rindergulasch mit Knödeln 14 21 | Käsespätzle 11 16 | Gemischter Salat 5 9
            | Apfelstrudel mit Vanillesoße 5.5 8.9 | Helles 0,5l 3.8 5.6 | Apfelschorle 0,4l 3.2 4.9 | Mineralwasser 0,75l 4.5 7.2
            | Kürbiscremesuppe 5.5 8.5 | Grauburgunder 0,2l 5.4 8.9 | Schweinebraten 13 19"""),
        "cafe": goods("""Cappuccino 3 4.6 | Milchkaffee 3.4 4.9 | Espresso 2.2 3.2 | Käsekuchen 3.2 4.8 | Butterbrezel 1.6 2.8
            | Frühstück für Zwei 16 27 | Heiße Schokolade mit Sahne 3.6 5.2 | Laugenbrötchen 0.8 1.5 | Apfelkuchen 2.9 4.5 | Schwarztee Kännchen 3.8 5.4"""),
        "hardware": goods("""Holzschrauben 5x60 200 St. 8 15 | Malerkrepp 50m 2.9 5.9 | Farbroller-Set 8 16 | Wandfarbe weiß 10L 29 59
            | Akku 18V 4,0Ah 49 99 | Abdeckfolie 4x5m 1.5 4.5 | Schleifscheiben K120 6 12 | Kabelbinder 300mm schwarz 3 7
            | LED-Lampe E27 8W 3 8 | Silikon transparent 310ml 4 9 | Innensechskantschlüssel-Satz 7 15"""),
        "pharmacy": goods("""Ibuprofen 400mg 20 St. 3 7.5 | Nasenspray 10ml 2.9 5.9 | Pflaster Sortiment 2.5 5 | Handcreme 75ml 3 8
            | Sonnenmilch LSF 50 9 18 | Hustensaft 100ml 5 10 | Zahnpasta 75ml 1 4 | Magnesium Brausetabletten 3 7"""),
        "kiosk": goods("Mineralwasser 0,5l 1 2 | Tageszeitung 1.8 3.4 | Kaugummi 0.8 1.6 | Schokoriegel 1 1.9 | Brezel 1.2 2 | Einzelfahrkarte 2.4 3.6"),
        "fuel": goods("Super E10 1.5 1.95 | Diesel 1.5 1.9 | Super Plus 1.6 2.1"),
        "extra": goods("Scheibenreiniger 5L 4 8 | Kaffee groß 2 3.6 | Autowäsche Programm 2 8 13"),
        "taxi": goods("Fahrpreis 9 48 | Zuschlag Flughafen 2 6 | Nachtzuschlag 1.5 4 | Gepäck 1 2"),
        "parking": goods("Parkgebühr Kurzparker 2 22"),
        "hotel": goods("Frühstücksbuffet 12 24 | Minibar 4 18 | Tiefgarage je Nacht 9 24 | Wäscheservice 12 38 | Abendessen Restaurant 24 75"),
        "services": goods("""Wartungspauschale Webseite 90 420 | Beratung vor Ort, Stunde 80 165 | Anfahrtspauschale 25 90 | Serverhosting Paket M 18 70
            | Sicherheitsunterweisung für vier Personen einschließlich Unterlagen 240 620 | Ersatzfilter 14 48
            | Einbau und Einrichtung der Zutrittskontrolle 180 950 | Datenübernahme pauschal 150 600"""),
    },
    "fr": {
        "grocery": goods("""Lait demi-écrémé 1L 0.9 1.5 | Baguette tradition 1.1 1.6 | Oeufs plein air x12 2.9 4.6 | Beurre doux 250g 2 3.6
            | Comté 12 mois 300g 4.5 8.5 | Riz basmati 1kg 1.9 4.2 | Tomates cerises 1.5 3.2 | Chocolat noir 70% 1.3 3.1 | Huile d'olive 75cl 6 12
            | Café moulu 250g 2.9 5.8 | Eau minérale 6x1,5L 1.8 4.2 | Pâtes coquillettes 500g 0.8 1.9 | Essuie-tout x4 2.4 4.9 | Crème fraîche 20cl 1 2"""),
        "restaurant": goods("""Menu du jour 15 22 | Entrecôte frites 18 26 | Salade de chèvre chaud 11 16 | Crème brûlée 6 9 | Verre de Bordeaux 5 8
            | Carafe d'eau gazeuse 3 6 | Soupe à l'oignon gratinée 7 11 | Filet de cabillaud, légumes de saison 16 24 | Café gourmand 7 10 | Kir 4.5 7"""),
        "cafe": goods("""Café crème 2.8 4.5 | Expresso 1.6 2.8 | Thé vert 3 4.8 | Croissant 1.2 2.2 | Pain au chocolat 1.3 2.4 | Tarte aux pommes 3.5 5.8
            | Jus d'orange pressé 4 6 | Sandwich jambon beurre 4.2 6.8 | Chocolat chaud 3.5 5"""),
        "hardware": goods("""Vis à bois 5x60 x200 8 15 | Ruban de masquage 50m 3 6 | Peinture blanche mate 10L 29 59 | Ampoule LED E27 8W 3 8
            | Bâche de protection 4x5m 2 5 | Colliers de serrage noirs 3 7 | Mastic silicone 310ml 4 9 | Jeu de clés Allen 7 15"""),
        "pharmacy": goods("""Paracétamol 500mg 1.9 3.5 | Spray nasal 10ml 3.5 6.8 | Pansements assortis 2.5 5 | Crème mains 75ml 3 8
            | Lait solaire SPF50 9 18 | Sirop toux 125ml 5 10 | Dentifrice 75ml 2 5"""),
        "kiosk": goods("Eau 50cl 1 2 | Journal 2 3.2 | Chewing-gum 1 2 | Barre chocolatée 1 2 | Ticket de bus 1.7 2.5 | Jus de pomme 25cl 1.5 2.9"),
        "fuel": goods("Sans plomb 95 1.6 1.95 | Gazole 1.5 1.9 | Sans plomb 98 1.7 2.1"),
        "extra": goods("Lave-glace 5L 4 8 | Café 1.5 2.8 | Lavage programme 2 8 13"),
        "taxi": goods("Course 9 48 | Supplément aéroport 2 6 | Supplément bagages 1 2 | Forfait nuit 2 4"),
        "parking": goods("Stationnement horaire 2 22"),
        "hotel": goods("Petit déjeuner buffet 10 22 | Minibar 4 18 | Parking couvert par nuit 9 24 | Blanchisserie 12 38 | Dîner restaurant 24 75"),
        "services": goods("""Maintenance du site, forfait mensuel 90 420 | Conseil sur place, l'heure 80 165 | Frais de déplacement 25 90
            | Formation sécurité pour quatre personnes, supports compris 240 620 | Cartouche filtrante de rechange 14 48
            | Pose et mise en service du contrôle d'accès 180 950 | Hébergement offre M 18 70"""),
    },
    "es": {
        "grocery": goods("""Leche entera 1L 0.9 1.4 | Pan de molde 1.1 2.4 | Huevos camperos 12u 2.4 4.4 | Mantequilla 250g 2 3.4 | Queso curado 300g 4.5 8
            | Arroz redondo 1kg 1.2 2.4 | Tomate pera 1.2 2.8 | Chocolate negro 70% 1.3 2.9 | Aceite de oliva virgen 1L 6.5 11.9 | Café molido 250g 2.4 4.9
            | Agua mineral 6x1,5L 1.9 3.9 | Macarrones 500g 0.8 1.8 | Papel de cocina 2.2 4.2 | Jamón serrano lonchas 2.5 4.9"""),
        "restaurant": goods("""Menú del día 11 17 | Tortilla española 6 11 | Ensalada mixta 6 10 | Paella de marisco 13 20 | Croquetas de jamón 7 11
            | Caña 1.8 3 | Copa de Rioja 2.8 4.5 | Agua con gas 1.8 3 | Merluza a la plancha con verduras de temporada 13 20 | Flan casero 3.5 5.5"""),
        "cafe": goods("""Café con leche 1.5 2.6 | Café solo 1.2 2 | Té verde 1.6 2.8 | Cruasán 1.4 2.4 | Tostada con tomate 1.8 3.2 | Zumo de naranja natural 2.6 4.4
            | Bocadillo de jamón 3.5 6 | Churros con chocolate 3.8 6"""),
        "hardware": goods("""Tornillos madera 5x60 200u 8 15 | Cinta de carrocero 50m 2.5 5 | Pintura blanca mate 10L 25 55 | Bombilla LED E27 8W 3 8
            | Plástico protector 4x5m 1.5 4 | Bridas negras 300mm 3 7 | Silicona transparente 4 9 | Juego de llaves Allen 7 15"""),
        "pharmacy": goods("""Ibuprofeno 400mg 2 5 | Spray nasal 10ml 4 8 | Tiritas surtidas 2.5 5 | Crema de manos 75ml 3 8 | Protector solar SPF50 9 18
            | Jarabe tos 150ml 5 10 | Pasta de dientes 75ml 2 5"""),
        "kiosk": goods("Agua 50cl 0.8 1.6 | Periódico 1.5 2.5 | Chicles 1 1.8 | Chocolatina 1 2 | Billete sencillo 1.2 2.4 | Refresco lata 1.2 2.2"),
        "fuel": goods("Sin plomo 95 1.4 1.75 | Gasóleo A 1.4 1.7 | Sin plomo 98 1.5 1.9"),
        "extra": goods("Limpiaparabrisas 5L 4 8 | Café 1.3 2.2 | Lavado programa 2 6 11"),
        "taxi": goods("Servicio 8 42 | Suplemento aeropuerto 3 6 | Suplemento nocturno 2 4 | Maletas 1 2"),
        "parking": goods("Estacionamiento rotación 2 22"),
        "hotel": goods("Desayuno buffet 9 18 | Minibar 4 18 | Garaje por noche 9 24 | Lavandería 12 38 | Cena restaurante 20 60"),
        "services": goods("""Mantenimiento web, cuota mensual 90 420 | Consultoría presencial, hora 70 140 | Desplazamiento 25 90
            | Formación en seguridad para cuatro personas, material incluido 240 620 | Cartucho de filtro de recambio 14 48
            | Instalación y puesta en marcha del control de accesos 180 950 | Alojamiento plan M 18 70"""),
    },
    "ms": {
        "grocery": goods("""Beras Wangi 5kg 22 36 | Susu Segar 1L 6 9.5 | Roti Gandum 3 5 | Telur Gred A 10s 4.5 8 | Minyak Masak 1kg 6 9 | Kicap Manis 640ml 4 8
            | Gula Halus 1kg 2.8 4 | Koko 1kg Uncang 14 22 | Sabun Pencuci 900ml 4 8 | Tisu Muka 4s 7 13 | Mee Segera Kari 5s 4 7 | Air Mineral 1.5L 1.8 3"""),
        "restaurant": goods("""Nasi Lemak Ayam 7 14 | Mee Goreng Mamak 6 10 | Roti Canai 1.5 2.8 | Teh Tarik 2 3.6 | Nasi Goreng Kampung 7 12 | Satay Ayam 10 batang 9 15
            | Kopi Ais 2 3.5 | Ikan Bakar Sambal 18 32 | Sup Tom Yam Campur 10 18 | Limau Ais 2.5 4"""),
        "cafe": goods("Kopi Susu 3 7 | Teh O Limau 2 4 | Kaya Toast 3 6 | Kek Pisang 3 6 | Karipap 1 2 | Latte Gula Melaka 9 14 | Sandwic Tuna 5 9"),
        "hardware": goods("""Skru Kayu 5x60 100s 6 12 | Cat Dinding Putih 5L 45 89 | Pita Pelekat 3 6 | Mentol LED 9W 6 14 | Kunci Pad 40mm 9 22
            | Paip PVC 1/2 inci 4 9 | Dawai Kabel 3M 8 18 | Berus Cat 2 inci 3 7"""),
        "pharmacy": goods("Paracetamol 500mg 10s 3 7 | Plaster Luka 20s 4 8 | Vitamin C 1000mg 15 35 | Ubat Batuk 120ml 8 16 | Krim Tangan 75ml 9 19 | Ubat Gigi 175g 7 14"),
        "kiosk": goods("Air Mineral 500ml 1 2 | Surat Khabar 1.5 2.5 | Gula-gula Getah 1.5 3 | Kacang Panggang 2 4 | Tiket Bas 2 5"),
        "fuel": goods("Petrol RON95 2.05 2.6 | Petrol RON97 3.1 3.5 | Diesel Euro5 2.15 3.2"),
        "extra": goods("Air Bateri 1L 3 6 | Kopi Tin 2.5 4"),
        "taxi": goods("Tambang 9 60 | Caj lapangan terbang 2 6 | Tol 1.5 8"),
        "parking": goods("Caj parkir 2 15"),
        "hotel": goods("Sarapan bufet 25 48 | Parkir semalam 8 20 | Dobi 15 45 | Makan malam 40 110"),
        "services": goods("""Penyelenggaraan laman web bulanan 200 900 | Khidmat nasihat, sejam 120 300 | Elaun perjalanan 40 150
            | Latihan keselamatan untuk empat orang termasuk bahan kursus 500 1400 | Penapis gantian 25 80"""),
    },
}
