#include "vocabulary.h"

#include <stddef.h>

enum { N_CATEGORIES = 16, N_FLAVOURS = 16, N_COMMON = 32 };

/* The first word is the category's name; the others are things in it. */
static const char *const categories[N_CATEGORIES][HN_WORDS_A_GROUP] = {
    {"lamps", "lamp", "lantern", "candle", "torch", "chandelier", "spotlight", "nightlight"},
    {"games", "puzzle", "chessboard", "dice", "cards", "domino", "marbles", "yoyo"},
    {"kitchenware", "kettle", "teapot", "skillet", "ladle", "grater", "whisk", "colander"},
    {"books", "novel", "atlas", "anthology", "memoir", "cookbook", "almanac", "comic"},
    {"gardening", "trowel", "planter", "seeds", "hose", "pruner", "trellis", "wheelbarrow"},
    {"music", "guitar", "drum", "flute", "violin", "banjo", "harmonica", "piano"},
    {"clothing", "jacket", "scarf", "sweater", "gloves", "trousers", "hat", "raincoat"},
    {"outdoors", "tent", "backpack", "hammock", "compass", "canteen", "stove", "binoculars"},
    {"stationery", "notebook", "pencil", "stapler", "envelope", "ruler", "inkwell", "eraser"},
    {"furniture", "chair", "bookshelf", "stool", "bench", "dresser", "footrest", "cabinet"},
    {"pets", "leash", "kennel", "birdcage", "aquarium", "collar", "scratcher", "feeder"},
    {"tools", "hammer", "wrench", "drill", "sander", "chisel", "clamp", "toolbox"},
    {"jewellery", "ring", "bracelet", "pendant", "brooch", "necklace", "earrings", "tiara"},
    {"sports", "racket", "football", "skates", "dumbbell", "surfboard", "helmet", "javelin"},
    {"bakery", "bread", "muffin", "pretzel", "croissant", "cookie", "bagel", "strudel"},
    {"bicycles", "bicycle", "saddle", "pedal", "bell", "pannier", "handlebar", "tricycle"}};

static const char *const flavours[N_FLAVOURS][HN_WORDS_A_GROUP] = {
    {"cosy", "warm", "soft", "snug", "plush", "mellow", "homely", "gentle"},
    {"bold", "loud", "daring", "fierce", "striking", "brash", "dramatic", "fearless"},
    {"rustic", "wooden", "weathered", "handmade", "earthy", "woven", "country", "barnlike"},
    {"sleek", "modern", "minimal", "polished", "chrome", "streamlined", "angular", "glossy"},
    {"playful", "funny", "silly", "bouncy", "cheerful", "whimsical", "giggly", "quirky"},
    {"elegant", "refined", "silken", "graceful", "ornate", "velvet", "stately", "exquisite"},
    {"rugged", "tough", "sturdy", "hardy", "armoured", "durable", "robust", "unbreakable"},
    {"vintage", "antique", "retro", "nostalgic", "faded", "classic", "heirloom", "sepia"},
    {"futuristic", "robotic", "neon", "digital", "cosmic", "holographic", "electric", "orbital"},
    {"natural", "leafy", "organic", "mossy", "floral", "botanical", "herbal", "verdant"},
    {"spicy", "fiery", "smoky", "peppery", "sizzling", "pungent", "scorching", "zesty"},
    {"frosty", "icy", "chilled", "wintry", "crisp", "snowy", "glacial", "arctic"},
    {"spooky", "ghostly", "gothic", "shadowy", "eerie", "haunted", "macabre", "moonlit"},
    {"nautical", "salty", "coastal", "anchored", "maritime", "seaside", "briny", "tidal"},
    {"tiny", "pocket", "miniature", "compact", "petite", "foldable", "lightweight", "portable"},
    {"royal", "golden", "jewelled", "majestic", "crowned", "regal", "gilded", "imperial"}};

static const char *const common[N_COMMON] = {"the",   "a",     "it",     "this",  "was",     "is",    "and",    "with",
                                             "for",   "my",    "we",     "got",   "bought",  "today", "after",  "week",
                                             "very",  "quite", "really", "works", "arrived", "box",   "friend", "again",
                                             "would", "use",   "every",  "day",   "think",   "good",  "price",  "time"};

/* At least three syllables; they spell the number, so different numbers make different words. */
static const char *make_up(uint64_t number, char buffer[HN_WORD_BYTES]) {
    static const char consonants[] = "bdfgklmnprstvz", vowels[] = "aeiou";
    size_t n = 0;
    do {
        buffer[n++] = consonants[number % 14];
        number /= 14;
        buffer[n++] = vowels[number % 5];
        number /= 5;
    } while ((number > 0 || n < 6) && n < HN_WORD_BYTES - 1);
    buffer[n] = '\0';
    return buffer;
}

const char *hn_vocabulary_word(HnWordKind kind, uint32_t group, uint32_t index, char buffer[HN_WORD_BYTES]) {
    if (kind == HN_WORD_COMMON) {
        return common[index % N_COMMON];
    }
    index %= HN_WORDS_A_GROUP;
    if (kind == HN_WORD_CATEGORY && group < N_CATEGORIES) {
        return categories[group][index];
    }
    if (kind == HN_WORD_FLAVOUR && group < N_FLAVOURS) {
        return flavours[group][index];
    }
    uint64_t number = (uint64_t)group * HN_WORDS_A_GROUP + index;
    return make_up(number * 2 + (kind == HN_WORD_FLAVOUR ? 1 : 0), buffer);
}

const char *hn_vocabulary_category(uint32_t category, char buffer[HN_WORD_BYTES]) {
    return hn_vocabulary_word(HN_WORD_CATEGORY, category, 0, buffer);
}
