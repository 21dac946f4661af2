//! What the server searches: made up, and the same in every run.

pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) cents: u32,
    pub(crate) stock: u32,
}

const COLOURS: [&str; 12] =
    ["Amber", "Black", "Blue", "Copper", "Green", "Indigo", "Ivory", "Red", "Salt & Pepper", "Silver", "Teal", "White"];
const KINDS: [&str; 16] = [
    "Bowl", "Brush", "Candle", "Chair", "Clock", "Cup", "Desk", "Door", "Jug", "Kettle", "Lamp", "Mirror", "Plate",
    "Shelf", "Table", "Vase",
];
const SIZES: [&str; 3] = ["Large", "Medium", "Small"];

pub(crate) fn catalogue() -> Vec<Product> {
    let mut products = Vec::new();
    for size in SIZES {
        for colour in COLOURS {
            for kind in KINDS {
                let number = products.len() as u32;
                let name = format!("{size} {colour} {kind}");
                products.push(Product {
                    name,
                    // Spread without a pattern that anyone would notice.
                    cents: 199 + number.wrapping_mul(2_654_435_761) % 20_000,
                    stock: number.wrapping_mul(40_503) % 50,
                });
            }
        }
    }
    products
}
