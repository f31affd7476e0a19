import clinicache = require("clinicache");

export const open = () => clinicache.openCache("c", { user: "u", keys: clinicache.keys.ephemeral() });
