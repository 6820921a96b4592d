"""Fine-tuning with torch, in an environment of its own that `./run finetune` makes; nothing else imports it."""
