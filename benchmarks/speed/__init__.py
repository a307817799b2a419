"""Speed of whole runs and of their stages, in processes of their own, beside their floors."""
