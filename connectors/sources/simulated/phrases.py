"""The grammar of the simulated mentions: templates and the words for their slots.

All of it is invented for this project. `{b}` is the brand; other slots are keys of `SLOTS`.
Indonesian as it is typed on a phone, with some English.
"""

SLOTS: dict[str, tuple[str, ...]] = {
    "item": (
        "sepatu", "blender", "casing hp", "kaos", "headset", "skincare", "rice cooker",
        "tas ransel", "lampu meja", "buku", "kado ulang tahun", "charger", "jaket", "mukena",
        "susu anak", "keyboard", "rak sepatu", "galon pump", "sprei", "power bank",
    ),
    "city": (
        "Bandung", "Surabaya", "Medan", "Makassar", "Depok", "Bekasi", "Semarang", "Malang",
        "Jogja", "Palembang", "Solo", "Bogor", "Denpasar", "Padang", "Samarinda", "Cirebon",
    ),
    "days": (
        "3 hari", "4 hari", "5 hari", "seminggu", "lima hari", "8 hari", "hampir seminggu",
        "6 hari", "dua minggu",
    ),
    "days_en": ("three days", "four days", "five days", "a week", "eight days", "almost a week"),
    "hub": ("gudang Cakung", "gudang Karawang", "hub Marunda", "DC Cikarang", "gudang transit"),
    "bad": (
        "kecewa banget", "parah sih", "nyesel", "kapok", "ga profesional", "bikin emosi",
        "payah", "mengecewakan", "kesel banget", "ampun deh",
    ),
    "good": (
        "mantap", "puas banget", "recommended", "top deh", "keren", "seneng banget",
        "the best", "makasih ya", "ga nyesel", "cepet banget",
    ),
    "call": ("min", "kak", "gaes", "guys", "bro", "sis", "admin", "woy min"),
    "part": ("sih", "deh", "dong", "nih", "lho", "ya", "banget", "kok"),
    "voucher": ("gratis ongkir", "cashback", "voucher 50rb", "diskon kilat", "promo payday"),
    "angry": ("😡", "😤", "🤬", "😭", "👎", "😡😡", "🙄", "💢"),
    "happy": ("😍", "🥰", "👍", "🙏", "✨", "😊", "🎉", "❤️"),
    "tag": ("#TokorayaLambat", "#BoikotTokoraya", "#ManaPaketku", "#TokorayaGagal"),
    "fee": ("35 ribu", "120 ribu", "75rb", "210rb", "89.000", "1,2 juta"),
    "hour": ("dari pagi", "dari semalem", "dari jam 9", "sejak kemarin", "2 jam lebih"),
}  # fmt: skip

NEGATIVE = (
    "{b} paketku udah {days} ga gerak dari {hub}, {bad} {angry}",
    "pesen {item} di {b} yang dateng malah rusak, {bad}",
    "refund {fee} di {b} belum masuk juga {days} {part} {angry}",
    "aplikasi {b} error mulu, mau bayar aja ga bisa {part}",
    "cs {b} balesnya template doang, {bad}",
    "{call} {b} tolong dong, kurirnya bilang udah dikirim padahal belum sampe {angry}",
    "udah komplain ke {b} {days} ga ada jawaban. {bad}",
    "{item} dari {b} ga sesuai foto, {bad} {angry}",
    "saldo kepotong {fee} tapi pesanan di {b} batal sendiri. gimana {part}",
    "login {b} gagal terus {hour}, {bad}",
    "{b} makin ke sini makin lemot, {bad}",
    "barang {b} salah kirim lagi, capek bolak balik retur {angry}",
    "ongkir {b} naik terus tapi pelayanannya {bad}",
    "bintang satu buat {b}: {item} pecah, seller kabur, cs diem",
    "{b} ini penipuan atau gimana? {item} ga dikirim sampai {days} {angry}",
    "voucher {b} ga bisa dipake pas checkout, {bad}",
    "My order from {b} has been stuck for {days_en}, really disappointed {angry}",
    "{b} support keeps sending the same canned reply. Terrible service.",
    "Still no refund from {b} after {days_en}. Not acceptable",
    "the {b} app crashed again at checkout, so annoying {angry}",
)

NEUTRAL = (
    "{call} {b} mau tanya, kirim ke {city} biasanya berapa hari ya?",
    "ada yang tau cara ganti alamat di {b}?",
    "{b} buka lowongan di {city}, info lengkap di web mereka",
    "cek harga {item} di {b} sama di toko sebelah, beda tipis",
    "{b} bisa bayar pake cicilan ga {part}",
    "promo {voucher} {b} sampe tanggal berapa ya",
    "baru mau coba belanja di {b}, ada yang punya kode referral?",
    "{b} live jam berapa {call}?",
    "lagi nunggu paket {b} {item} hari ini",
    "{b} umumkan layanan baru untuk penjual di {city}",
    "ini akun resmi {b} yang mana {part}, kok banyak",
    "cara retur di {b} gimana {call}",
    "ukuran {item} di {b} biasanya kecil atau normal?",
    "temen kantor pada checkout {item} di {b}",
    "Does {b} ship to {city}?",
    "How do I change my payment method on {b}?",
    "{b} opens a new warehouse near {city}",
)

POSITIVE = (
    "paket {b} sampe {city} sehari doang, {good} {happy}",
    "{item} dari {b} bagus, sesuai deskripsi. {good}",
    "makasih {b}, cs nya ramah dan cepet bantu {happy}",
    "dapet {voucher} dari {b}, {good} {happy}",
    "belanja di {b} gampang, {good}",
    "kurir {b} sopan banget, {good} {happy}",
    "suka sama tampilan baru {b}, {good}",
    "{b} packing nya rapi pake bubble wrap tebel, {good}",
    "retur di {b} ternyata gampang, uang balik besoknya. {good}",
    "5 bintang buat {b}, {item} original dan murah {happy}",
    "kado buat ibu dari {b} dateng tepat waktu, {good} {happy}",
    "{call} {b} flash sale nya {good} {happy}",
    "Fast delivery from {b}, really happy with my order {happy}",
    "Great deal on {b} today, thank you! {happy}",
    "{b} customer service solved it in minutes. Impressed",
)

CRISIS = (
    "paket {b} numpuk di {hub}, punyaku {days} belum jalan {angry} {tag}",
    "ternyata bukan cuma aku ya, {b} telat semua. {bad} {tag}",
    "{b} kemana aja? {item} udah dibayar, {days} ga dikirim {angry}",
    "video {hub} penuh paket itu beneran? {b} tolong jelasin {angry} {tag}",
    "kado nikahan telat gara gara {b}, {bad} {angry}",
    "{call} {b} jangan diem aja, ribuan orang nunggu paket {part} {tag}",
    "udah telpon cs {b} {hour} ga diangkat. {bad} {tag}",
    "uninstall {b} hari ini juga. {bad} {angry}",
    "obat ibuku ada di paket {b} yang nyangkut {days}. {bad} {angry}",
    "{b} minta maaf doang ga cukup, balikin duit {fee} kami {angry} {tag}",
    "seller juga rugi, dana ditahan {b} gara gara paket telat. {bad}",
    "status paket {b} cuma muter muter di {hub} {angry}",
    "jangan belanja di {b} dulu {call}, pengiriman kacau {tag}",
    "parah, {b} janji sampai besok, ini udah {days} {angry}",
    "refund {b} ditolak padahal barang ga pernah sampe {angry} {tag}",
    "My {b} parcel has been sitting in the warehouse for {days_en}. Shameful {tag}",
    "{b} please answer, thousands of parcels are late {angry} {tag}",
    "Never ordering from {b} again, late for {days_en} and no reply",
)

CRISIS_NEUTRAL = (
    "ada apa sih sama {b}? timeline isinya paket semua",
    "{b} menyebut keterlambatan terjadi karena gangguan sistem di {hub}",
    "ada yang paket {b} nya udah sampe di {city}?",
    "What is going on with {b} deliveries?",
)

CRISIS_POSITIVE = (
    "paketku dari {b} aman kok, {good}",
    "semangat kurir {b}, bukan salah kalian {happy}",
)

BURST = (
    "giveaway {b} rame banget, semoga menang {happy}",
    "jingle iklan {b} nyantol di kepala {part}",
    "ikutan kuis {b} {call}, hadiahnya {item}",
    "diskon {b} hari ini lumayan {part}",
    "everyone is talking about the {b} giveaway {happy}",
)

FIRST_POST = (
    "Utas: saya kerja dekat {hub}. Ribuan paket {b} ditumpuk di luar, kehujanan, tidak ada yang "
    "kirim sudah {days}. Pesanan {item} saya ada di situ. {b}, tolong jawab {angry} {tag}"
)

REPOST = "ribuan paket {b} ditumpuk di luar {hub}, tolong jawab {tag}"

OWN_REPLY = (
    "Halo kak, mohon maaf atas kendalanya. Mohon kirim nomor pesanan lewat DM ya.",
    "Hai kak, terima kasih sudah menghubungi kami. Tim kami sedang cek pesanannya.",
    "Halo kak, pengirimannya sedang kami percepat. Mohon ditunggu ya.",
    "Hi, sorry for the trouble. Please send us your order number in a DM.",
)

SYLLABLES = (
    "ra", "di", "sa", "ni", "bu", "ka", "lu", "ma", "ti", "wi", "yo", "ne", "pu", "ri", "ga",
    "la", "no", "su", "ta", "fe", "da", "ayu", "eko", "an", "in",
)  # fmt: skip
